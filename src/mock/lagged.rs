//! A value together with the older one that a search index still shows: searches lag behind writes.
//!
//! Must not know: what is searched.

/// A value whose writes reach the index later. Keeps only versions that a search can still see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lagged<T> {
    /// Instant at which the index shows it, and the value, for all but the newest; oldest first.
    older: Vec<(u64, T)>,
    newest: (u64, T),
}

impl<T> Lagged<T> {
    /// A value that the index shows from `visible_from_ms` on; before that it shows nothing.
    pub(super) fn new(visible_from_ms: u64, value: T) -> Self {
        Self { older: Vec::new(), newest: (visible_from_ms, value) }
    }

    /// The value as written last.
    pub(super) fn current(&self) -> &T {
        &self.newest.1
    }

    /// The value that a search at `now_ms` sees.
    pub(super) fn indexed(&self, now_ms: u64) -> Option<&T> {
        let versions = std::iter::once(&self.newest).chain(self.older.iter().rev());
        versions.filter(|(from, _)| *from <= now_ms).map(|(_, value)| value).next()
    }

    /// Writes `value` at `now_ms`; the index shows it `lag_ms` later.
    pub(super) fn write(&mut self, now_ms: u64, lag_ms: u64, value: T) {
        let visible_from = now_ms.saturating_add(lag_ms).max(self.newest.0);
        let before = std::mem::replace(&mut self.newest, (visible_from, value));
        self.older.push(before);
        if let Some(seen) = self.older.iter().rposition(|(from, _)| *from <= now_ms) {
            self.older.drain(..seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_shows_a_write_after_the_lag_and_the_old_value_until_then() {
        let mut value = Lagged::new(100, 'a');
        assert_eq!((value.indexed(99), value.indexed(100)), (None, Some(&'a')));
        value.write(200, 50, 'b');
        assert_eq!(value.current(), &'b');
        assert_eq!((value.indexed(249), value.indexed(250)), (Some(&'a'), Some(&'b')));
    }

    #[test]
    fn versions_that_no_search_can_see_are_let_go() {
        let mut value = Lagged::new(0, 0);
        for step in 1..1000 {
            value.write(step * 10, 25, step);
        }
        assert!(value.older.len() <= 4, "{}", value.older.len());
    }
}
