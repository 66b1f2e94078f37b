//! Activation and latency of acknowledgements.

use super::script::Script;
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    history::record::{
        Outcome::{Acked, Indefinite, Refused},
        Record,
    },
    scenario::criterion::Criterion,
    stripe::recording::Access,
};
use std::time::Duration;

fn activation(ms: u64) -> Criterion {
    Criterion::Activation { p95_within: Duration::from_millis(ms) }
}

fn acks(ms: u64) -> Criterion {
    Criterion::AckLatency { p95_within: Duration::from_millis(ms) }
}

#[test]
fn activation_runs_from_the_planned_send_to_the_first_open_probe() {
    let mut script = Script::sound(2);
    // Planned 10 ms after the start of each customer, probed 40 ms after it.
    assert_eq!(script.is(activation(30), Pass).seen, "all 2 in time, the slowest 30 ms");
    let late = script.is(activation(29), Fail);
    assert_eq!(late.seen, "2 of 2 activations too late, the slowest 30 ms; with fewer than 59 every one counts");
    assert_eq!(late.evidence.len(), 2);
    script.cut_short();
    script.is(activation(30), Inconclusive);
    script.is(activation(29), Fail);
}

#[test]
fn a_dropped_first_attempt_does_not_shift_the_start() {
    let mut script = Script::sound(1);
    script.resent("d0002", &[None, Some(Acked)]);
    script.is(activation(29), Fail);
}

#[test]
fn never_active_fails_unless_access_is_over_or_never_due() {
    let mut script = Script::sound(2);
    script.records.iter_mut().for_each(|(_, record)| {
        if let Record::Probe(probe) = record {
            probe.access = Some(probe.instance.as_str() == "buy/1");
        }
    });
    assert!(script.is(activation(500), Fail).why.contains("never open for buy/2"));
    script.plan.instances[1].end.as_mut().expect("an end").access = Access::Revoked;
    script.is(activation(500), Inconclusive);
    script.plan.instances[1].end.as_mut().expect("an end").access = Access::None;
    script.is(activation(500), Pass);
    script.plan.instances.iter_mut().for_each(|i| i.completes_with = None);
    script.is(activation(500), Inconclusive);
}

/// A target that does not report its queue may still be at work when the run ends.
#[test]
fn a_run_that_ended_before_the_limit_does_not_show_that_access_never_came() {
    let mut script = Script::sound(1);
    script.records.iter_mut().for_each(|(_, record)| {
        if let Record::Probe(probe) = record {
            probe.access = Some(false);
        }
    });
    script.is(activation(120_000), Fail);
    script.records.retain(|(_, record)| !matches!(record, Record::Queue(_)));
    assert!(script.is(activation(120_000), Inconclusive).why.contains("before the limit was over"));
    script.is(activation(500), Fail);
}

#[test]
fn from_59_samples_on_the_percentile_counts() {
    let spoiled = |customers: usize| {
        let mut script = Script::sound(customers);
        let mut left = 2;
        script.replies(|reply| {
            if left > 0 {
                (reply.latency_us, left) = (900_000, left - 1);
            }
        });
        script
    };
    let verdict = spoiled(19).is(acks(100), Fail);
    assert_eq!(
        verdict.seen,
        "2 of 57 acknowledgements too late, the slowest 900 ms; with fewer than 59 every one counts"
    );
    let verdict = spoiled(20).is(acks(100), Pass);
    assert_eq!(verdict.seen, "2 ms for 95 % of 60 acknowledgements, the slowest 900 ms");
}

#[test]
fn only_first_attempts_that_were_acknowledged_are_timed() {
    let mut script = Script::sound(1);
    script.resent("d0001", &[Some(Refused), Some(Acked)]);
    script.resent("d0002", &[None, Some(Acked)]);
    script.replies(|reply| {
        if reply.delivery.as_str() != "d0003" {
            reply.latency_us = 9_000_000;
        }
    });
    let seen = script.is(acks(5), Pass).seen;
    assert_eq!(seen, "all 1 in time, the slowest 2 ms; 1 first attempts were not acknowledged and not timed");
}

#[test]
fn no_answer_for_longer_than_the_limit_is_too_late() {
    let mut script = Script::sound(1);
    script.resent("d0002", &[Some(Indefinite), Some(Acked)]);
    script.replies(|reply| {
        if reply.outcome == Indefinite {
            reply.latency_us = 5_000_000;
        }
    });
    script.is(acks(100), Fail);
    // A connection that broke at once says nothing of how fast answers are.
    script.replies(|reply| reply.latency_us = 2_000);
    script.is(acks(100), Pass);
}

#[test]
fn a_probe_that_never_answers_shows_no_closed_door() {
    let mut script = Script::sound(1);
    script.records.iter_mut().for_each(|(_, record)| {
        if let Record::Probe(probe) = record {
            (probe.known, probe.access, probe.error) = (None, None, Some("answered 500".into()));
        }
    });
    assert!(script.is(activation(500), Inconclusive).why.contains("no probe of buy/1 was answered"));
}

#[test]
fn a_late_sender_cannot_judge_latency() {
    let mut script = Script::sound(1);
    if let Some((_, Record::End { lateness_p99_us, .. })) = script.records.last_mut() {
        *lateness_p99_us = 50_001;
    }
    assert!(script.is(acks(1), Inconclusive).why.contains("hookdrill itself was late"));
    script.cut_short();
    script.is(acks(1), Inconclusive);
}
