//! What a person would have to repair afterwards: dead letters, customers in disagreement, tickets in no queue, crashes.
//!
//! Must not know: how the service keeps its queue.

use super::{
    anomaly::Anomaly,
    case::Case,
    diagnosis,
    finding::{Finding, exceeds},
    words,
};
use crate::{history::record::ProcessEvent, scenario::criterion::Bound};

/// A service with work waiting that calls nobody for this long, with every fault off, has forgotten the work: longer than
/// any lease or back-off that still counts as working on it.
const FORGOTTEN_MS: u64 = 60_000;

/// Things that a person would have to repair, by the service's own last report.
pub(super) fn steps(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} to repair anything by hand", words::bound(bound, "step")));
    let died: Vec<u64> =
        case.seen.processes.iter().filter(|process| process.event == ProcessEvent::Died).map(|p| p.n).collect();
    let crashes = died.len() as u64;
    if let Some((jobs, n)) = forgotten(case)
        && exceeds(bound, jobs)
    {
        let waited = format!("{} waiting for {} s without any call", count(jobs, "job"), FORGOTTEN_MS / 1000);
        let why = format!("{waited}, though everything downstream worked: nobody takes the work up");
        let finding = finding.named([(Anomaly::Lost, worst(case).and_then(|(_, person)| person))]);
        return finding.seeing(waited).evidence([n]).fail(why);
    }
    let last = case.seen.queues.iter().rev().find(|queue| queue.what.last);
    let Some(queue) = last else {
        let finding = finding.seeing(format!("no final report of the queue, {}", crash_words(crashes))).evidence(died);
        let why = "the service did not report its queue at the end of a quiet phase".to_owned();
        return match exceeds(bound, crashes) {
            true => finding.named([(Anomaly::UnsafeError, None)]).fail(crash_words(crashes)),
            false => finding.inconclusive(case.gap.clone().unwrap_or(why)),
        };
    };
    let report = queue.what;
    let drift = report.drift.unwrap_or(0);
    let parts = [
        (report.dead, format!("{} given up", count(report.dead, "job"))),
        (drift, format!("{} whose state and contact disagree", count(drift, "customer"))),
        (report.unrouted, format!("{} in no queue", count(report.unrouted, "ticket"))),
        (crashes, crash_words(crashes)),
    ];
    let sum: u64 = parts.iter().map(|(n, _)| n).sum();
    let seen = parts.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>().join(", ");
    let whose = if sum > 0 { worst(case) } else { None };
    let person = whose.and_then(|(_, person)| person);
    let names = [
        (report.dead, (Anomaly::Lost, person)),
        // A contact that disagrees with a state that is right shows what the state was before.
        (drift, whose.unwrap_or((Anomaly::Stale, None))),
        (report.unrouted, (Anomaly::Lost, person)),
        (crashes, (Anomaly::UnsafeError, None)),
    ];
    let named = names.into_iter().flat_map(|(n, name)| (0..n).map(move |_| name));
    let finding = finding.seeing(seen).evidence(died).evidence([queue.n]).named(named);
    let texts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(_, text)| text.clone()).collect();
    // A disagreement may still heal while jobs run; the rest cannot.
    if exceeds(bound, sum - drift) {
        return finding.fail(texts.join(", "));
    }
    if exceeds(bound, sum) {
        return finding.fail_if_whole(case, texts.join(", "));
    }
    finding.counted(case, bound, sum, "steps by hand")
}

/// Jobs that still waited when the quiet phase was over, the service having been silent for long; and the record that says so.
fn forgotten(case: &Case<'_>) -> Option<(u64, u64)> {
    let last = case.seen.queues.last().filter(|queue| queue.what.pending > 0)?;
    let waiting = case.seen.queues.iter().rev().take_while(|queue| queue.what.pending == last.what.pending);
    let since = waiting.last().map_or(last.at_ms, |queue| queue.at_ms);
    let called = case.seen.calls.last().map_or(0, |call| call.at_ms);
    let quiet = case.seen.phases.last().map_or(u64::MAX, |(_, _, at_ms)| *at_ms);
    (last.at_ms.saturating_sub(since.max(called).max(quiet)) >= FORGOTTEN_MS).then_some((last.what.pending, last.n))
}

/// The first customer whose end is wrong, by its anomaly.
fn worst(case: &Case<'_>) -> Option<(Anomaly, Option<usize>)> {
    case.chains.iter().find_map(|chain| Some((diagnosis::customer(case, chain)?, Some(chain.person))))
}

fn count(n: u64, noun: &str) -> String {
    format!("{n} {}", words::plural(n, noun))
}

fn crash_words(crashes: u64) -> String {
    count(crashes, "crash")
}
