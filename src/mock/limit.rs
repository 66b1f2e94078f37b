//! A limit of calls in a rolling window of time.
//!
//! Must not know: which API is doubled, what a refused call is answered.

use std::collections::VecDeque;

/// At most so many calls in so much time. A call that is refused takes no place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Window {
    most: usize,
    per_ms: u64,
    taken: VecDeque<u64>,
}

impl Window {
    pub(super) const fn new(most: u32, per_ms: u64) -> Self {
        Self { most: most as usize, per_ms, taken: VecDeque::new() }
    }

    /// Calls that it allows in all.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// Takes a place at `now_ms`: how many are left, or how many milliseconds until one is free.
    pub(super) fn take(&mut self, now_ms: u64) -> Result<usize, u64> {
        while self.taken.front().is_some_and(|at| at.saturating_add(self.per_ms) <= now_ms) {
            self.taken.pop_front();
        }
        if self.taken.len() >= self.most {
            let first = self.taken.front().copied().unwrap_or(now_ms);
            return Err(first.saturating_add(self.per_ms).saturating_sub(now_ms));
        }
        self.taken.push_back(now_ms);
        Ok(self.most - self.taken.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_rolls_and_a_refused_call_takes_no_place() {
        let mut window = Window::new(2, 1_000);
        assert_eq!((window.take(0), window.take(400)), (Ok(1), Ok(0)));
        assert_eq!((window.take(999), window.take(999)), (Err(1), Err(1)));
        assert_eq!((window.take(1_000), window.take(1_399), window.take(1_400)), (Ok(0), Err(1), Ok(0)));
        assert_eq!(Window::new(0, 50).take(7), Err(50), "nothing is allowed");
    }
}
