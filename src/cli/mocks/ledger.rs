//! What came to the doubles of `hookdrill mocks`: the last calls and effects, and counts of all.
//!
//! Must not know: sockets, pages.

use crate::{
    history::record::{Call, Effect},
    scenario::fault::Double,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Calls and effects that are kept: the last ones.
const KEPT: usize = 1_000;

/// What came, newest last.
#[derive(Debug)]
pub(super) struct Ledger {
    started: Timestamp,
    kept: Mutex<Kept>,
}

/// The part that changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// The last calls with their numbers and times.
    pub(super) calls: VecDeque<(u64, Timestamp, Call)>,
    /// The last effects of declared doubles with the time of their call.
    pub(super) effects: VecDeque<(Timestamp, Effect)>,
    /// Calls of each double since the start or the last reset.
    pub(super) counts: BTreeMap<Double, u64>,
    total: u64,
}

impl Ledger {
    pub(super) fn new(started: Timestamp) -> Self {
        Self { started, kept: Mutex::new(Kept::default()) }
    }

    /// Takes a call in.
    pub(super) fn add(&self, at_ms: u64, call: Call) {
        let at = self.started + Duration::from_millis(at_ms);
        let mut kept = self.kept();
        for effect in call.effects.iter().filter(|effect| matches!(effect, Effect::Declared { .. })) {
            kept.effects.push_back((at, effect.clone()));
        }
        *kept.counts.entry(call.double).or_default() += 1;
        kept.total += 1;
        let number = kept.total;
        kept.calls.push_back((number, at, call));
        while kept.calls.len() > KEPT {
            kept.calls.pop_front();
        }
        while kept.effects.len() > KEPT {
            kept.effects.pop_front();
        }
    }

    /// A copy of all.
    pub(super) fn copy(&self) -> Kept {
        self.kept().clone()
    }

    /// Forgets all.
    pub(super) fn reset(&self) {
        *self.kept() = Kept::default();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_calls_are_kept_and_all_are_counted() {
        let ledger = Ledger::new(Timestamp::default());
        for n in 0..1_500 {
            let call = Call {
                double: Double::Crm,
                operation: format!("call_{n}"),
                status: 200,
                faulted: false,
                fault: None,
                about: Vec::new(),
                effects: Vec::new(),
            };
            ledger.add(n, call);
        }
        let kept = ledger.copy();
        assert_eq!((kept.calls.len(), kept.counts[&Double::Crm]), (KEPT, 1_500));
        assert_eq!(
            kept.calls.back().map(|(number, _, call)| (*number, call.operation.as_str())),
            Some((1_500, "call_1499"))
        );
        ledger.reset();
        assert!(ledger.copy().calls.is_empty());
    }
}
