//! Latency: from the planned send, never from the actual one, so that a slow service cannot slow its own clock.
//!
//! Must not know: what was done in that time.

use super::{
    anomaly::Anomaly,
    case::{Case, Chain, is_genuine},
    diagnosis, effect,
    finding::Finding,
    sample, words,
};
use crate::{
    history::record::Outcome,
    id::{EventId, InstanceId},
    plan::model::{Delivery, DeliveryKind, Phase},
    stripe::recording::Access,
};
use std::{collections::BTreeMap, time::Duration};

/// Sender's own lateness (99th percentile) from which its latencies say more of our machine than of the service.
const LATE_US: u64 = 50_000;

/// Time from the planned first send of the event that completes the Checkout until a probe finds access open.
pub(super) fn activation(case: &Case<'_>, within: Duration) -> Finding {
    let finding = Finding::expecting(format!("access within {} of the first send, in 95 % of cases", limit(within)));
    let planned = first_planned(case);
    let mut samples: Vec<Sample> = Vec::new();
    let (mut never, mut early, mut unread, mut unseen) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut named = Vec::new();
    for instance in case.plan.instances.iter().filter(|instance| !instance.ghost) {
        let access = instance.end.as_ref().map(|end| end.access);
        let start = instance.completes_with.as_ref().and_then(|event| planned.get(event)).copied();
        let (Some(planned_ms), false) = (start, access == Some(Access::None)) else { continue };
        let open = case.seen.probes(&instance.id).iter();
        let open = open.filter(|probe| probe.at_ms >= planned_ms).find(|probe| probe.what.access == Some(true));
        match (open, access) {
            (Some(probe), _) => samples.push(Sample { value: (probe.at_ms - planned_ms) * 1000, n: probe.n }),
            (None, Some(Access::Granted)) if !read_later(case, &instance.id, planned_ms) => {
                unread.push(instance.id.to_string());
            }
            (None, Some(Access::Granted)) if !waited(case, &instance.id, planned_ms, within) => {
                early.push(instance.id.to_string());
            }
            (None, Some(Access::Granted)) => {
                never.push(instance.id.to_string());
                named.extend(nothing(case, &instance.id));
            }
            // Access may be over before a probe could see it; nothing is shown.
            (None, Some(Access::Revoked | Access::None) | None) => unseen.push(instance.id.to_string()),
        }
    }
    let limit_us = micros(within);
    let evidence = slowest(&samples, limit_us);
    let (seen, held) = held(&mut samples, limit_us, "activation");
    named.extend(evidence.iter().map(|n| (Anomaly::Late, whose(case, *n))));
    let never_words = if never.is_empty() { String::new() } else { format!("; {} never", never.len()) };
    let finding = finding.seeing(format!("{seen}{never_words}")).evidence(evidence).named(named);
    let first_sent = effect::first_sent(case);
    let unasked = |chain: &Chain<'_>| Some((effect::open_unasked(case, chain, &first_sent)?, chain.person));
    if let Some((n, person)) = case.chains.iter().find_map(unasked) {
        let finding = Finding { named: vec![(Anomaly::Premature, Some(person))], ..finding };
        return finding.evidence([n]).fail("access was open before anything was sent, so nothing was activated");
    }
    match held {
        Some(false) => finding.fail(format!("access took longer than {}", limit(within))),
        Some(true) | None if !never.is_empty() => {
            finding.fail_if_whole(case, format!("access was never open for {}", words::few(&never)))
        }
        Some(true) | None if !early.is_empty() => {
            let why =
                format!("access was not open for {} when the run ended, before the limit was over", words::few(&early));
            finding.inconclusive(case.gap.clone().unwrap_or(why))
        }
        Some(true) | None if !unread.is_empty() => {
            let why = format!("no probe of {} was answered", words::few(&unread));
            finding.inconclusive(case.gap.clone().unwrap_or(why))
        }
        Some(true) | None if !unseen.is_empty() => finding
            .inconclusive(format!("no probe saw access open for {}, whose access is over by now", words::few(&unseen))),
        None => finding.inconclusive(case.gap.clone().unwrap_or("no story here completes a Checkout".to_owned())),
        Some(true) => finding.pass_if_whole(case, "access was open in time"),
    }
}

/// What it is called that access never opened for an instance, and whose it is.
fn nothing(case: &Case<'_>, id: &InstanceId) -> Option<(Anomaly, Option<usize>)> {
    let chain = case.chains.iter().find(|chain| chain.links.iter().any(|link| link.id == *id))?;
    Some((diagnosis::customer(case, chain).unwrap_or(Anomaly::Lost), Some(chain.person)))
}

/// The person of a probe or a reply, by the number of its record.
fn whose(case: &Case<'_>, n: u64) -> Option<usize> {
    let probed = |id: &InstanceId| case.seen.probes(id).iter().any(|probe| probe.n == n);
    let replied = |delivery: &&Delivery| {
        case.seen.sent(&delivery.id).iter().any(|sent| sent.reply.is_some_and(|reply| reply.n == n))
    };
    let delivered = case.plan.deliveries.iter().find(replied).map(|delivery| &delivery.instance);
    let mine = |id: &InstanceId| probed(id) || delivered == Some(id);
    case.people.iter().position(|person| person.instances.iter().any(|instance| mine(&instance.id)))
}

/// Whether any probe after the send was answered: a probe that fails says nothing of access.
fn read_later(case: &Case<'_>, instance: &InstanceId, planned_ms: u64) -> bool {
    let mut later = case.seen.probes(instance).iter().filter(|probe| probe.at_ms >= planned_ms);
    later.any(|probe| probe.what.error.is_none() && probe.what.known.is_some())
}

/// Whether nothing can come any more: the limit is over, or the service says that it has no work left.
fn waited(case: &Case<'_>, instance: &InstanceId, planned_ms: u64, within: Duration) -> bool {
    let last = case.seen.probes(instance).iter().map(|probe| probe.at_ms).max().unwrap_or(0);
    let done = case.seen.queues.iter().rev().find(|queue| queue.what.last).is_some_and(|queue| queue.what.pending == 0);
    done || last.saturating_sub(planned_ms) >= millis(within)
}

/// Planned time of the first genuine delivery of each event.
fn first_planned<'a>(case: &Case<'a>) -> BTreeMap<&'a EventId, u64> {
    let mut planned = BTreeMap::new();
    let deliveries = case.plan.deliveries.iter();
    for delivery in deliveries.filter(|d| d.kind == DeliveryKind::Genuine && d.phase == Phase::Faults) {
        if let Some(event) = &delivery.event {
            let at_ms = case.faults_from_ms + delivery.at_ms;
            let first = planned.entry(event).or_insert(at_ms);
            *first = at_ms.min(*first);
        }
    }
    planned
}

/// Time from the planned send until the reply, of first attempts of genuine deliveries that were acknowledged.
pub(super) fn ack_latency(case: &Case<'_>, within: Duration) -> Finding {
    let expected = format!("acknowledged within {} of the planned send, in 95 % of cases", limit(within));
    let finding = Finding::expecting(expected);
    let limit_us = micros(within);
    let (mut samples, mut others) = (Vec::new(), 0);
    for delivery in case.plan.deliveries.iter().filter(|delivery| is_genuine(delivery)) {
        let first = case.seen.sent(&delivery.id).iter().find(|sent| sent.attempt.what.attempt == 1);
        let Some(reply) = first.filter(|sent| !sent.attempt.what.dropped).and_then(|sent| sent.reply) else { continue };
        match reply.what.outcome {
            Outcome::Acked => samples.push(Sample { value: reply.what.latency_us, n: reply.n }),
            // No answer for longer than the limit is too late, whatever would have come.
            Outcome::Indefinite if reply.what.latency_us > limit_us => {
                samples.push(Sample { value: reply.what.latency_us, n: reply.n });
            }
            Outcome::Refused | Outcome::Indefinite => others += 1,
        }
    }
    let evidence = slowest(&samples, limit_us);
    let (seen, held) = held(&mut samples, limit_us, "acknowledgement");
    let others = if others > 0 {
        format!("; {others} first attempts were not acknowledged and not timed")
    } else {
        String::new()
    };
    let named: Vec<_> = evidence.iter().map(|n| (Anomaly::Late, whose(case, *n))).collect();
    let finding = finding.seeing(format!("{seen}{others}")).evidence(evidence).named(named);
    let Some(end) = case.seen.end else {
        return finding.inconclusive(case.gap.clone().unwrap_or_default());
    };
    if end.lateness_p99_us > LATE_US {
        let late = words::micros(end.lateness_p99_us);
        let why = format!("hookdrill itself was late: its sends left up to {late} after their time (99th percentile)");
        return finding.evidence([end.n]).inconclusive(why);
    }
    match held {
        None => finding.inconclusive("no first attempt was acknowledged, so nothing was timed"),
        Some(false) => finding.fail(format!("answers took longer than {}", limit(within))),
        Some(true) => finding.pass_if_whole(case, "answers came in time"),
    }
}

struct Sample {
    /// Microseconds.
    value: u64,
    n: u64,
}

/// What the samples say, and whether they hold: with enough of them their 95th percentile, with fewer every one.
fn held(samples: &mut [Sample], limit_us: u64, noun: &str) -> (String, Option<bool>) {
    let mut values: Vec<u64> = samples.iter().map(|sample| sample.value).collect();
    let Some(p95) = sample::p95(&mut values) else { return (format!("no {noun}"), None) };
    let (n, slowest) = (values.len(), values.last().copied().unwrap_or_default());
    let counted = words::count(n, noun);
    if n >= sample::P95_SAMPLES {
        let text = format!("{} for 95 % of {counted}, the slowest {}", words::micros(p95), words::micros(slowest));
        return (text, Some(p95 <= limit_us));
    }
    let over = values.iter().filter(|value| **value > limit_us).count();
    let text = match over {
        0 => format!("all {n} in time, the slowest {}", words::micros(slowest)),
        _ => format!(
            "{over} of {counted} too late, the slowest {}; with fewer than 59 every one counts",
            words::micros(slowest)
        ),
    };
    (text, Some(over == 0))
}

/// Records of those above the limit, slowest first.
fn slowest(samples: &[Sample], limit_us: u64) -> Vec<u64> {
    let mut over: Vec<&Sample> = samples.iter().filter(|sample| sample.value > limit_us).collect();
    over.sort_by_key(|sample| std::cmp::Reverse(sample.value));
    over.iter().take(super::MOST_EVIDENCE).map(|sample| sample.n).collect()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn limit(span: Duration) -> String {
    words::micros(micros(span))
}
