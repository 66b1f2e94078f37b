//! Access, status and plan, named values.

use super::script::Script;
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    history::record::{Record, RunPhase},
    plan::model::Instance,
    scenario::criterion::{AccessIs, Bound, Criterion},
    stripe::recording::Access,
};

const AS_STORY: Criterion = Criterion::Access { is: AccessIs::AsStory };

#[test]
fn access_is_as_the_story_says() {
    let mut script = Script::sound(2);
    let verdict = script.is(AS_STORY, Pass);
    assert_eq!(verdict.expected, "access as each story says (2 open)");
    script.is(Criterion::Access { is: AccessIs::This(Access::Revoked) }, Fail);
    script.probes(|probe| probe.access = Some(probe.instance.as_str() == "buy/1"));
    let verdict = script.is(AS_STORY, Fail);
    assert_eq!(verdict.seen, "2 customers: 1 right, 1 wrong");
    assert_eq!(verdict.evidence.len(), 1);
    script.cut_short();
    script.is(AS_STORY, Inconclusive);
}

#[test]
fn an_unknown_customer_has_no_access_and_needs_none_where_none_is_due() {
    let mut script = Script::sound(1);
    script.probes(|probe| (probe.known, probe.access) = (Some(false), None));
    assert!(script.is(AS_STORY, Fail).why.contains("for the app does not know them"));
    let end = script.plan.instances[0].end.as_mut().expect("an end");
    (end.access, end.status, end.plan) = (Access::None, "none".into(), "none".into());
    script.probes(|probe| (probe.status, probe.plan) = (None, None));
    script.records.retain(|(_, record)| !matches!(record, Record::Probe(probe) if !probe.last));
    script.is(AS_STORY, Pass);
    script.is(Criterion::CustomerState, Pass);
}

/// A service that never gives access to anybody does not revoke it.
#[test]
fn closed_is_revoked_only_where_it_was_open() {
    let mut script = Script::sound(2);
    script.plan.instances.iter_mut().for_each(|i| i.end.as_mut().expect("an end").access = Access::Revoked);
    script.probes(|probe| probe.access = Some(false));
    for criterion in [AS_STORY, Criterion::Access { is: AccessIs::This(Access::Revoked) }] {
        script.is(criterion, Pass);
    }
    for (_, record) in &mut script.records {
        if let Record::Probe(probe) = record {
            (probe.known, probe.access) = (Some(false), None);
        }
    }
    for criterion in [AS_STORY, Criterion::Access { is: AccessIs::This(Access::Revoked) }] {
        assert!(script.is(criterion, Inconclusive).why.contains("no probe ever found it open"));
    }
}

/// Access that was open while the money was still owed is a loss, even when it is closed at the end.
#[test]
fn who_must_never_have_access_must_not_have_it_for_a_while() {
    let mut script = Script::sound(1);
    script.plan.instances[0].end.as_mut().expect("an end").access = Access::None;
    script.probes(|probe| probe.access = Some(false));
    assert!(script.is(AS_STORY, Fail).why.contains("should never have been"));
    script.records.retain(|(_, record)| !matches!(record, Record::Probe(probe) if !probe.last));
    script.is(AS_STORY, Pass);
}

/// A story without a Stripe customer (an expired session) leaves nobody whose state could be read by customer.
#[test]
fn nobody_is_no_gap() {
    let mut script = Script::sound(2);
    let gone = &mut script.plan.instances[1];
    gone.customer = None;
    let end = gone.end.as_mut().expect("an end");
    (end.access, end.status, end.plan, end.contacts) = (Access::None, "none".into(), "none".into(), 0);
    for (_, record) in &mut script.records {
        match record {
            Record::Probe(probe) if probe.instance.as_str() == "buy/2" => {
                (probe.known, probe.access, probe.error) = (None, None, Some("has no {customer}".into()));
            }
            _ => {}
        }
    }
    assert_eq!(script.is(AS_STORY, Pass).seen, "1 customer: 1 right, 0 wrong");
    script.is(Criterion::CustomerState, Pass);
    script.plan.instances[1].end.as_mut().expect("an end").access = Access::Granted;
    script.is(AS_STORY, Inconclusive);
}

#[test]
fn a_customer_whom_the_app_does_not_know_has_no_state() {
    let mut script = Script::sound(2);
    elsewhere(&mut script);
    script.probes(|probe| {
        (probe.known, probe.access, probe.status, probe.plan) = (Some(false), None, None, None);
    });
    assert!(script.is(Criterion::CustomerState, Fail).why.contains("status is none and should be active"));
}

/// Not our own service, of which the judges know what its probe reads.
fn elsewhere(script: &mut Script) {
    if let (_, Record::Start(start)) = &mut script.records[0] {
        start.target = "http://127.0.0.1:3000/hook".into();
    }
}

#[test]
fn a_probe_that_failed_or_is_missing_shows_nothing() {
    let mut script = Script::sound(2);
    script.probes(|probe| probe.error = Some("500".into()));
    assert!(script.is(AS_STORY, Inconclusive).why.contains("failed: 500"));
    let mut none = Script::sound(1);
    none.records.retain(|(_, record)| !format!("{record:?}").contains("last: true, known"));
    assert!(none.is(AS_STORY, Inconclusive).why.contains("was not probed"));
    let mut unable = Script::sound(1);
    unable.unable("access_probe");
    assert_eq!(
        unable.is(AS_STORY, Inconclusive).why,
        "the target has no probe that reads a customer's access (`[probe.customer]` with `access`)"
    );
}

#[test]
fn the_last_story_of_a_chain_says_what_is_right() {
    let mut script = Script::sound(1);
    let mut cancelled =
        Instance { id: "cancel/1".into(), continues: Some("buy/1".into()), ..script.plan.instances[0].clone() };
    cancelled.completes_with = None;
    let end = cancelled.end.as_mut().expect("an end");
    (end.access, end.status) = (Access::Revoked, "canceled".into());
    script.plan.instances.insert(0, cancelled);
    assert_eq!(script.is(AS_STORY, Fail).expected, "access as each story says (1 closed again)");
    script.probes(|probe| (probe.access, probe.status) = (Some(false), Some("canceled".into())));
    script.is(AS_STORY, Pass);
    script.is(Criterion::CustomerState, Pass);
    script.is(Criterion::ContactsPerCustomer(Bound::Exactly(1)), Pass);
}

#[test]
fn status_and_plan_are_compared_where_they_are_read() {
    let mut script = Script::sound(2);
    script.is(Criterion::CustomerState, Pass);
    script.probes(|probe| probe.plan = None);
    assert!(script.is(Criterion::CustomerState, Fail).why.contains("plan is none and should be pro"));
    elsewhere(&mut script);
    let unread = script.is(Criterion::CustomerState, Inconclusive);
    assert!(unread.expected.contains("the probe reads no plan"), "{}", unread.expected);
    assert!(unread.why.contains("read no plan for anybody"), "{}", unread.why);
    script.probes(|probe| probe.status = Some("past_due".into()));
    assert!(script.is(Criterion::CustomerState, Fail).why.contains("status is past_due and should be active"));
    script.probes(|probe| probe.status = None);
    script.is(Criterion::CustomerState, Inconclusive);
}

#[test]
fn the_state_must_be_right_before_and_after_a_replay() {
    for broken in [RunPhase::Quiet, RunPhase::QuietAfterReplay] {
        let mut script = Script::sound(1);
        script.replay();
        script.is(AS_STORY, Pass);
        let mut seen = 0;
        script.probes(|probe| {
            seen += 1;
            probe.access = Some((seen == 1) == (broken == RunPhase::QuietAfterReplay));
        });
        script.is(AS_STORY, Fail);
    }
}

#[test]
fn values_are_bounded() {
    let seats = |bound| Criterion::ProbeValue { name: "seats".into(), bound };
    let mut script = Script::sound(2);
    script.is(seats(Bound::Exactly(3)), Pass);
    assert!(script.is(seats(Bound::AtMost(2)), Fail).why.contains("`seats` is 3 and should be at most 2"));
    script.probes(|probe| {
        probe.values.insert("seats".into(), -1);
    });
    script.is(seats(Bound::AtMost(2)), Fail);
    script.probes(|probe| probe.values.clear());
    script.is(seats(Bound::AtMost(2)), Inconclusive);
}

#[test]
fn access_that_was_open_before_anything_was_sent_is_no_effect() {
    let activation = Criterion::Activation { p95_within: std::time::Duration::from_secs(120) };
    let mut script = Script::sound(2);
    script.is(activation.clone(), Pass);
    let mut early = script.records.iter().filter_map(|(_, record)| match record {
        Record::Probe(probe) if probe.instance.as_str() == "buy/1" => Some(probe.clone()),
        _ => None,
    });
    let probe = Record::Probe(hookdrill::history::record::Probe { last: false, ..early.next().expect("a probe") });
    let first = script.records.iter().position(|(_, r)| matches!(r, Record::Attempt(_))).expect("an attempt");
    script.records.insert(first, (0, probe));
    assert!(script.is(AS_STORY, Fail).why.contains("before anything was sent"));
    script.is(activation, Fail);
}
