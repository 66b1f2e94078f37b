//! What one judge finds, built in the order in which one says it: what was expected, what was seen, and what follows.
//!
//! Must not know: any criterion.

use super::{anomaly::Anomaly, case::Case, verdict::Validity};
use crate::scenario::criterion::Bound;

/// A verdict in the making.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) expected: String,
    pub(super) seen: String,
    pub(super) validity: Validity,
    pub(super) why: String,
    pub(super) evidence: Vec<u64>,
    /// Person whose cause chain is told on failure.
    pub(super) about: Option<usize>,
    /// What each thing that is wrong is called, and whose it is.
    pub(super) named: Vec<(Anomaly, Option<usize>)>,
}

impl Finding {
    /// Begins with what was expected; inconclusive until something else is said.
    pub(super) fn expecting(expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            seen: String::new(),
            validity: Validity::Inconclusive,
            why: String::new(),
            evidence: Vec::new(),
            about: None,
            named: Vec::new(),
        }
    }

    pub(super) fn seeing(mut self, seen: impl Into<String>) -> Self {
        self.seen = seen.into();
        self
    }

    pub(super) fn evidence(mut self, records: impl IntoIterator<Item = u64>) -> Self {
        self.evidence.extend(records);
        self
    }

    pub(super) fn about(mut self, person: Option<usize>) -> Self {
        self.about = person;
        self
    }

    /// Names what is wrong: one entry for each thing, with the person whom it befell.
    pub(super) fn named(mut self, named: impl IntoIterator<Item = (Anomaly, Option<usize>)>) -> Self {
        self.named.extend(named);
        self
    }

    pub(super) fn pass(self, why: impl Into<String>) -> Self {
        Self { validity: Validity::Pass, why: why.into(), ..self }
    }

    pub(super) fn fail(self, why: impl Into<String>) -> Self {
        Self { validity: Validity::Fail, why: why.into(), ..self }
    }

    pub(super) fn inconclusive(self, why: impl Into<String>) -> Self {
        Self { validity: Validity::Inconclusive, why: why.into(), ..self }
    }

    /// Passes unless the run has a gap: then absence shows nothing.
    pub(super) fn pass_if_whole(self, case: &Case<'_>, why: impl Into<String>) -> Self {
        match &case.gap {
            None => self.pass(why),
            Some(gap) => self.inconclusive(gap.clone()),
        }
    }

    /// Fails unless the run has a gap: what is missing might still have come.
    pub(super) fn fail_if_whole(self, case: &Case<'_>, why: impl Into<String>) -> Self {
        match &case.gap {
            None => self.fail(why),
            Some(gap) => self.inconclusive(gap.clone()),
        }
    }

    /// Judges a count of bad things that were seen: more than allowed fails even in a run with a gap, fewer needs a whole
    /// run, for absence is evidence only at the end.
    pub(super) fn counted(self, case: &Case<'_>, bound: Bound, count: u64, what: &str) -> Self {
        if exceeds(bound, count) {
            return self.fail(format!("{count} {what}, more than allowed"));
        }
        if bound.holds(count) {
            return self.pass_if_whole(case, format!("{count} {what}, as allowed"));
        }
        self.fail_if_whole(case, format!("{count} {what}, fewer than asked for"))
    }
}

/// Whether `count` is above the bound: evidence that nothing later can take back.
pub(super) fn exceeds(bound: Bound, count: u64) -> bool {
    match bound {
        Bound::Exactly(most) | Bound::AtMost(most) => count > most,
    }
}
