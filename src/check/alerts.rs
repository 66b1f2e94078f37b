//! Alerts: exactly those that should be raised, each once for its key.
//!
//! Must not know: when the service raises one.

use super::{
    anomaly::Anomaly,
    case::Case,
    finding::Finding,
    words::{self, few},
};
use crate::history::record::{Effect, ProcessEvent};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of alerts that reached their receiver, against those that should.
pub(super) fn raised(case: &Case<'_>, wanted: &BTreeSet<String>) -> Finding {
    let names = |kinds: &[&String]| kinds.iter().map(|kind| (*kind).clone()).collect::<Vec<_>>().join(", ");
    let expected = match wanted.is_empty() {
        true => "no alert".to_owned(),
        false => format!("{}, each once, and no other alert", names(&wanted.iter().collect::<Vec<_>>())),
    };
    let mut counts: BTreeMap<(&String, Option<&String>), Vec<u64>> = BTreeMap::new();
    let mut kinds: BTreeMap<&String, u64> = BTreeMap::new();
    for call in &case.seen.calls {
        for effect in &call.what.effects {
            if let Effect::AlertRaised { alert, key } = effect {
                counts.entry((alert, key.as_ref())).or_default().push(call.n);
                *kinds.entry(alert).or_default() += 1;
            }
        }
    }
    let seen: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let seen = if seen.is_empty() { "no alert".to_owned() } else { seen.join(", ") };
    let finding = Finding::expecting(expected).seeing(seen);
    let unwanted: Vec<&String> = kinds.keys().copied().filter(|kind| !wanted.contains(*kind)).collect();
    if !unwanted.is_empty() {
        let of = |(kind, _): &&(&String, Option<&String>)| unwanted.contains(kind);
        let records: Vec<u64> = counts.keys().filter(of).flat_map(|key| counts[key].clone()).collect();
        if case.clean.is_some() {
            let why = "raised while people without faults were there too, whom the service counts; run it without a comparison";
            return finding.evidence(records).inconclusive(format!("{} was {why}", names(&unwanted)));
        }
        // What it is called, the other criteria say: an alert tells of what is wrong, unless nothing is.
        return finding.evidence(records).fail(format!("{} was raised, and nothing called for it", names(&unwanted)));
    }
    let repeated: Vec<_> = counts.iter().filter(|(_, records)| records.len() > 1).collect();
    if !repeated.is_empty() && !may_repeat(case) {
        let told = |((kind, key), records): &(&(&String, Option<&String>), &Vec<u64>)| {
            format!("{kind} {} {}", key.map_or("", String::as_str), words::count(records.len(), "time"))
        };
        let texts: Vec<String> = repeated.iter().map(told).collect();
        let records: Vec<u64> = repeated.iter().flat_map(|(_, records)| (*records).clone()).collect();
        let finding = finding.named(repeated.iter().map(|_| (Anomaly::Duplicate, None)));
        return finding.evidence(records).fail(format!("raised more than once: {}", few(&texts)));
    }
    let missing: Vec<&String> = wanted.iter().filter(|kind| !kinds.contains_key(*kind)).collect();
    if !missing.is_empty() {
        let finding = finding.named(missing.iter().map(|_| (Anomaly::Lost, None)));
        return finding.fail_if_whole(case, format!("{} was never raised", names(&missing)));
    }
    finding.evidence(counts.into_values().flatten()).pass_if_whole(case, "the alerts are those that were called for")
}

/// Whoever posts, dies and cannot know whether it arrived has to post again; so has one whose post got no good answer.
fn may_repeat(case: &Case<'_>) -> bool {
    let died = case.seen.processes.iter().any(|p| matches!(p.event, ProcessEvent::Killed | ProcessEvent::Died));
    let lost = case.seen.calls.iter().any(|call| {
        let raised = call.what.effects.iter().any(|effect| matches!(effect, Effect::AlertRaised { .. }));
        raised && call.what.fault.is_some()
    });
    died || lost
}
