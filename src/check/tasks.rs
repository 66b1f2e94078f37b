//! Tasks for the people at the CRM: one for each subscription that ended and for each invoice that failed, named in the subject.
//!
//! Counted by what the double did, so a lost answer hides none. Must not know: which CRM it is.

use super::{
    anomaly::Anomaly,
    case::{Case, Person},
    diagnosis,
    finding::{Finding, exceeds},
    owner::mentions,
    words,
};
use crate::{history::record::Effect, scenario::criterion::Bound, stripe::recording::Access};

/// A task and the record of the call that made it.
struct Made<'a> {
    subject: &'a str,
    task: &'a str,
    n: u64,
}

/// Tasks of each cause.
pub(super) fn per_cause(case: &Case<'_>, bound: Bound) -> Finding {
    let finding =
        Finding::expecting(format!("{} for each failed invoice and ended subscription", words::bound(bound, "task")));
    let made: Vec<Made<'_>> = case.seen.calls.iter().flat_map(|call| tasks(&call.what.effects, call.n)).collect();
    let (mut wrong, mut evidence, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut positive, mut named) = (false, Vec::new());
    let mut claimed = vec![false; made.len()];
    for (index, person) in case.real_people() {
        for cause in causes(person) {
            let of: Vec<usize> = (0..made.len()).filter(|at| mentions(made[*at].subject, &cause)).collect();
            of.iter().for_each(|at| claimed[*at] = true);
            let count = of.len() as u64;
            counts.push(count);
            if !bound.holds(count) {
                wrong.push(format!("{cause} of {} has {}", person.words(), words::count(of.len(), "task")));
                let excess = exceeds(bound, count);
                positive |= excess;
                evidence.extend(of.iter().map(|at| made[*at].n));
                let missing = || diagnosis::missing(case, index, case.ends.last());
                named.push((if excess { Anomaly::Duplicate } else { missing() }, Some(index)));
            }
        }
    }
    for (made, _) in made.iter().zip(&claimed).filter(|(_, claimed)| !**claimed) {
        wrong.push(format!("task {} names no invoice that failed and no subscription that ended", made.task));
        evidence.push(made.n);
        named.push((Anomaly::Orphan, None));
        positive = true;
    }
    let causes = words::count(counts.len(), "cause");
    let seen = if counts.is_empty() { causes } else { format!("{causes}: {}", words::spread(counts.iter().copied())) };
    let finding = finding.seeing(seen).evidence(evidence).named(named);
    let reasons = words::few(&wrong);
    match (positive, wrong.is_empty()) {
        (true, _) => finding.fail(reasons),
        (false, false) => finding.fail_if_whole(case, reasons),
        (false, true) if counts.is_empty() => finding
            .inconclusive("no invoice fails and no subscription ends in this run, so this was not put to the test"),
        (false, true) => finding.pass_if_whole(case, "each cause has as many tasks as asked for"),
    }
}

fn tasks(effects: &[Effect], n: u64) -> impl Iterator<Item = Made<'_>> {
    effects.iter().filter_map(move |effect| match effect {
        Effect::TaskCreated { task, subject, .. } => Some(Made { subject, task, n }),
        _ => None,
    })
}

/// Ids of what calls for a task: the stories say which subscriptions ended.
fn causes(person: &Person<'_>) -> Vec<String> {
    let mut causes: Vec<String> =
        person.instances.iter().flat_map(|instance| &instance.failed_invoices).map(ToString::to_string).collect();
    for instance in &person.instances {
        let ended = |status: &str, access| status == "canceled" && access == Access::Revoked;
        let end = instance.end.as_ref().filter(|end| ended(&end.status, end.access));
        causes.extend(end.and(instance.subscription.as_ref()).map(ToString::to_string));
    }
    causes.sort_unstable();
    causes.dedup();
    causes
}
