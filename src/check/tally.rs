//! Counting what the doubles hold for each person at the end of each quiet phase: the loop that contacts, tickets and requests share.
//!
//! Must not know: what is counted, nor how many are right.

use super::{
    anomaly::Anomaly,
    case::{Case, EndState, Person},
    finding::Finding,
    words,
};
use crate::history::record::Effect;
use std::collections::BTreeSet;

/// What was counted at one end.
#[derive(Debug, Default)]
pub(super) struct Tally<T> {
    /// The criterion's own counts.
    pub(super) counts: T,
    /// What is wrong, in words.
    pub(super) wrong: Vec<String>,
    /// Whether something is there that must not be: evidence even when the run has a gap.
    positive: bool,
    /// Contacts or tickets in question.
    offenders: BTreeSet<String>,
    named: Vec<(Anomaly, Option<usize>)>,
    /// Record of the state that was counted.
    ledger: u64,
}

/// Counts for each real person at the end of each quiet phase; stops at the first end at which something is wrong. `None`
/// when no state was recorded.
pub(super) fn tally<T: Default>(
    case: &Case<'_>,
    mut count: impl FnMut(&mut Tally<T>, &EndState<'_>, usize, &Person<'_>),
) -> Option<Tally<T>> {
    let mut last = None;
    for end in &case.ends {
        let Some(ledger) = end.ledger else { continue };
        let mut tally = Tally {
            counts: T::default(),
            wrong: Vec::new(),
            positive: false,
            offenders: BTreeSet::new(),
            named: Vec::new(),
            ledger: ledger.n,
        };
        for (index, person) in case.real_people() {
            count(&mut tally, end, index, person);
        }
        let wrong = !tally.wrong.is_empty();
        last = Some(tally);
        if wrong {
            break;
        }
    }
    last
}

impl<T> Tally<T> {
    /// Notes something wrong, with the contacts or tickets in question; `excess` says that one is there that must not be.
    pub(super) fn wrong(&mut self, what: String, excess: bool, offenders: impl IntoIterator<Item = String>) {
        self.wrong.push(what);
        self.positive |= excess;
        self.offenders.extend(offenders);
    }

    /// Says what it is called, and whose it is.
    pub(super) fn name(&mut self, anomaly: Anomaly, person: usize) {
        self.named.push((anomaly, Some(person)));
    }

    /// The verdict: too much fails at once, too little a whole run only. `untested` says why nothing was put to the test.
    pub(super) fn judged(&self, case: &Case<'_>, finding: Finding, untested: Option<&str>, pass: &str) -> Finding {
        let finding = finding.evidence(self.evidence(case)).named(self.named.iter().copied());
        let reasons = words::few(&self.wrong);
        match (self.positive, self.wrong.is_empty(), untested) {
            (true, _, _) => finding.fail(reasons),
            (false, false, _) => finding.fail_if_whole(case, reasons),
            (false, true, Some(why)) => finding.inconclusive(why),
            (false, true, None) => finding.pass_if_whole(case, pass),
        }
    }

    /// Calls that made what is in question, then the state that was counted.
    fn evidence(&self, case: &Case<'_>) -> Vec<u64> {
        let made = |effect: &Effect| match effect {
            Effect::ContactCreated { contact: id, .. } | Effect::TicketCreated { ticket: id, .. } => {
                self.offenders.contains(id)
            }
            _ => false,
        };
        let calls = case.seen.calls.iter().filter(|call| call.what.effects.iter().any(made));
        calls.map(|call| call.n).take(super::MOST_EVIDENCE - 1).chain([self.ledger]).collect()
    }
}

/// Inconclusive: the state of a double was not recorded.
pub(super) fn unrecorded(case: &Case<'_>, finding: Finding, double: &str) -> Finding {
    let why = format!("the state of {double} was not recorded at the end of a quiet phase");
    finding.seeing(format!("no state of {double}")).inconclusive(case.gap.clone().unwrap_or(why))
}
