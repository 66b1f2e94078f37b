//! Each of the twelve names is given to a run that shows just that, and not to one that lacks the evidence for it.

use super::script::{Script, call, contact, email, granted, probe, scenario, ticket};
use hookdrill::{
    check::{
        anomaly::Anomaly::{
            self, CrossTenant, Duplicate, Late, Lost, Orphan, Poisoned, Premature, Resurrected, Stale,
            UnboundedRedelivery, UnsafeError,
        },
        judge,
        verdict::Validity::Fail,
    },
    history::record::{Effect, Outcome, ProcessEvent, Record, RunPhase, Visit},
    plan::model::{
        DeliveryKind::{Foreign, Forged, Malformed, UnknownType},
        Reaction, TransportStep, Turn,
    },
    scenario::{
        criterion::{AccessIs, Bound, Criterion},
        fault::{BadSignature::WrongSecret, MalformedBody},
        forms::Foreign::OtherMode,
        transport::Transport,
    },
    stripe::recording::{Access, Expectation},
};
use std::{collections::BTreeMap, time::Duration};

const STORY: Criterion = Criterion::CustomerState;
const AS_STORY: Criterion = Criterion::Access { is: AccessIs::AsStory };
const NONE: Bound = Bound::Exactly(0);
const ONE: Bound = Bound::Exactly(1);

#[track_caller]
fn named(script: &Script, criterion: Criterion, anomaly: Anomaly) {
    let verdict = script.is(criterion, Fail);
    assert_eq!(verdict.anomaly, Some(anomaly), "{verdict:#?}");
    assert!(verdict.anomalies.contains_key(&anomaly), "{verdict:#?}");
}

fn right(access: Access, status: &str, plan: &str) -> Expectation {
    Expectation { access, status: status.into(), plan: plan.into(), contacts: 1, tickets: BTreeMap::new() }
}

/// One buyer, with what is right after each of their three events; the last is the end.
fn story(turns: [Expectation; 3]) -> Script {
    let mut script = Script::sound(1);
    let instance = &mut script.plan.instances[0];
    instance.end = turns.last().cloned();
    let turns = turns.into_iter().enumerate();
    instance.turns = turns.map(|(k, right)| Turn { event: format!("evt_1_{k}").as_str().into(), right }).collect();
    script
}

/// Incomplete until the last event opens the door.
fn activated() -> Script {
    let incomplete = || right(Access::None, "incomplete", "pro");
    story([incomplete(), incomplete(), granted()])
}

/// The last event ends the subscription.
fn cancelled() -> Script {
    story([granted(), granted(), right(Access::Revoked, "canceled", "none")])
}

/// At the end the app holds this.
fn holds(script: &mut Script, open: bool, status: &str, plan: &str) {
    script.probes(|probe| {
        (probe.access, probe.status, probe.plan) = (Some(open), Some(status.into()), Some(plan.into()));
    });
}

/// An event comes once more, after all others, and is acknowledged.
fn comes_late(script: &mut Script, event: &str) {
    let id = script.plan_delivery("buy/1", event, "customer.subscription.updated", 900);
    let mut late = Script { records: Vec::new(), ..script.clone() };
    late.attempt(900, &id, 1, Some(Outcome::Acked));
    script.before(RunPhase::Quiet, late.records);
}

#[test]
fn stale_is_an_older_snapshot_that_was_in_a_race() {
    let mut script = activated();
    holds(&mut script, false, "incomplete", "pro");
    named(&script, STORY, Lost);
    comes_late(&mut script, "evt_1_0");
    for criterion in [STORY, AS_STORY, Criterion::AckedWithoutEffect(NONE), Criterion::SuccessRate { above: 0.9 }] {
        named(&script, criterion, Stale);
    }
    // What no earlier event gives is no older snapshot.
    holds(&mut script, false, "unpaid", "pro");
    named(&script, STORY, Lost);
}

#[test]
fn stale_is_also_the_first_of_one_second() {
    for (created, anomaly) in [([7, 7, 7], Stale), ([7, 8, 9], Lost)] {
        let mut script = activated();
        holds(&mut script, false, "incomplete", "pro");
        for (delivery, created) in script.plan.deliveries.iter_mut().zip(created) {
            delivery.body = format!("body of {}", delivery.id);
            let body = format!(r#"{{"created":{created},"data":{{"object":{{"object":"subscription"}}}}}}"#);
            script.plan.bodies.insert(delivery.body.clone(), body);
        }
        named(&script, STORY, anomaly);
    }
}

#[test]
fn resurrected_had_ended_and_is_live() {
    let mut script = cancelled();
    holds(&mut script, true, "active", "pro");
    named(&script, AS_STORY, Lost);
    let mut late = script.clone();
    comes_late(&mut late, "evt_1_1");
    named(&late, AS_STORY, Resurrected);
    named(&late, STORY, Resurrected);
    // Or a probe had seen that it ended.
    let mut closed = probe("buy/1", false);
    if let Record::Probe(probe) = &mut closed {
        probe.access = Some(false);
    }
    script.before(RunPhase::Quiet, vec![(950, closed)]);
    named(&script, AS_STORY, Resurrected);
}

#[test]
fn premature_is_access_that_nobody_paid_for() {
    let mut script = Script::sound(1);
    script.plan.instances[0].end = Some(right(Access::None, "incomplete", "none"));
    named(&script, AS_STORY, Premature);
    named(&script, STORY, Premature);
    let mut unpaid = cancelled();
    unpaid.plan.instances[0].end = Some(right(Access::Revoked, "unpaid", "pro"));
    holds(&mut unpaid, true, "unpaid", "pro");
    named(&unpaid, AS_STORY, Premature);
    let mut early = Script::sound(1);
    early.plan.instances[0].end.as_mut().expect("an end").contacts = 0;
    named(&early, Criterion::ContactsPerCustomer(ONE), Premature);
    let mut alert = Script::sound(1);
    let effect = Effect::AlertRaised { alert: "activation_late".into(), key: None };
    alert.before(RunPhase::Quiet, vec![(900, call("raise", vec![effect]))]);
    named(&alert, Criterion::Alerts([].into()), Premature);
}

/// A forged delivery with the id of the event that opens the door, before it or after.
fn with_forgery(first: bool) -> Script {
    let mut script = activated();
    holds(&mut script, false, "incomplete", "pro");
    script.ghost();
    let id = script.plan_delivery("ghost/1", "evt_1_2", "invoice.paid", 50);
    let delivery = script.plan.deliveries.last_mut().expect("just added");
    (delivery.kind, delivery.expect, delivery.owed) = (Forged(WrongSecret), Reaction::Refuse, false);
    let mut forged = Script { records: Vec::new(), ..script.clone() };
    forged.attempt(50, &id, 1, Some(Outcome::Refused));
    script.before(if first { RunPhase::Faults } else { RunPhase::Quiet }, forged.records);
    script
}

#[test]
fn poisoned_was_skipped_for_the_sake_of_one_that_had_to_be_refused() {
    named(&with_forgery(true), STORY, Poisoned);
    named(&with_forgery(true), Criterion::AckedWithoutEffect(NONE), Poisoned);
    named(&with_forgery(false), STORY, Lost);
    // A broken body with its id counts as well, a failed attempt of the whole one does not.
    for (how, anomaly) in [(Some(Transport::Truncated), Poisoned), (None, Lost)] {
        let mut script = activated();
        holds(&mut script, false, "incomplete", "pro");
        script.resent("d0003", &[Some(Outcome::Refused), Some(Outcome::Acked)]);
        let steps = how.map(|how| TransportStep { how, attempts: Some(1) });
        script.plan.deliveries[2].transport = steps.into_iter().collect();
        named(&script, STORY, anomaly);
    }
    // By its own count the service never had it: then it was not skipped, it was lost.
    let mut lost = with_forgery(true);
    lost.queues(|queue| queue.events -= 1);
    named(&lost, STORY, Lost);
}

#[test]
fn orphan_is_what_is_tied_to_nobody() {
    let mut script = activated();
    holds(&mut script, false, "active", "pro");
    named(&script, AS_STORY, Lost);
    script.records.retain(|(_, record)| !matches!(record, Record::Probe(probe) if !probe.last));
    named(&script, AS_STORY, Orphan);
    let mut contacts = Script::sound(1);
    contacts.ledgers(|contacts, _| contacts.clear());
    named(&contacts, Criterion::ContactsPerCustomer(ONE), Lost);
    contacts.ledgers(|contacts, _| contacts.push(contact(77)));
    named(&contacts, Criterion::ContactsPerCustomer(ONE), Orphan);
    let mut untold = Script::sound(1);
    untold.resent("d0002", &[None, None, None]);
    untold.plan.deliveries[1].owed = false;
    untold.queues(|queue| queue.events -= 1);
    untold.ledgers(|contacts, _| contacts.clear());
    named(&untold, Criterion::ContactsPerCustomer(ONE), Orphan);
    let mut task = Script::sound(1);
    let effect = Effect::TaskCreated { task: "1".into(), contact: None, subject: "in_of_nobody failed".into() };
    task.before(RunPhase::Quiet, vec![(900, call("create_task", vec![effect]))]);
    named(&task, Criterion::CrmTasks(ONE), Orphan);
}

#[test]
fn duplicate_is_more_than_one_effect() {
    let mut contacts = Script::sound(2);
    contacts.ledgers(|contacts, _| {
        let again = hookdrill::history::record::Contact { id: "9".into(), ..contact(1) };
        contacts.push(again);
    });
    named(&contacts, Criterion::ContactsPerCustomer(ONE), Duplicate);
    named(&contacts, Criterion::AckedWithoutEffect(NONE), Duplicate);
    let seats = |bound| Criterion::ProbeValue { name: "seats".into(), bound };
    named(&Script::sound(1), seats(Bound::AtMost(2)), Duplicate);
    named(&Script::sound(1), seats(Bound::Exactly(4)), Lost);
    let mut replayed = Script::sound(1);
    replayed.replay();
    let effect = Effect::ContactCreated { contact: "5".into(), email: Some(email(1)) };
    replayed.before(RunPhase::QuietAfterReplay, vec![(72_000, call("create_contact", vec![effect]))]);
    named(&replayed, Criterion::ReplayEffects(NONE), Duplicate);
}

#[test]
fn a_ticket_in_the_wrong_queue_is_lost_and_not_one_too_many() {
    let wanted = Criterion::TicketsPerFailedInvoice { bound: ONE, queue: "billing".into() };
    let with = |tickets: &[Option<&str>]| {
        let mut script = Script::sound(1);
        script.plan.instances[0].failed_invoices = vec!["in_9".into()];
        script.plan.instances[0].end.as_mut().expect("an end").tickets.insert("billing".into(), 1);
        let queues = tickets.iter().enumerate();
        let tickets: Vec<_> = queues.map(|(n, queue)| ticket(&format!("{n}"), Some("for_in_9"), *queue, 1)).collect();
        script.ledgers(|_, all| all.extend(tickets.iter().cloned()));
        script
    };
    named(&with(&[]), wanted.clone(), Lost);
    named(&with(&[Some("sales")]), wanted.clone(), Lost);
    named(&with(&[None]), wanted.clone(), Lost);
    named(&with(&[Some("billing"), Some("billing")]), wanted, Duplicate);
    named(&with(&[Some("sales")]), Criterion::AckedWithoutEffect(NONE), Lost);
}

#[test]
fn unbounded_redelivery_is_refused_for_ever_and_lost_never_arrived() {
    let refused = Some(Outcome::Refused);
    for (outcomes, anomaly) in [
        ([refused, refused, refused], UnboundedRedelivery),
        ([None, refused, refused], UnboundedRedelivery),
        ([None, None, None], Lost),
        ([refused, Some(Outcome::Indefinite), refused], Lost),
    ] {
        let mut script = activated();
        script.resent("d0003", &outcomes);
        script.queues(|queue| queue.events -= 1);
        named(&script, Criterion::EventsLost(NONE), anomaly);
        holds(&mut script, false, "incomplete", "pro");
        named(&script, STORY, anomaly);
    }
    let mut unknown = Script::sound(1);
    unknown.bad(UnknownType, Some(400));
    named(&unknown, Criterion::UnsafeErrors(NONE), UnboundedRedelivery);
}

#[test]
fn lost_is_what_was_promised_and_is_not_there() {
    let mut script = activated();
    script.probes(|probe| (probe.known, probe.access, probe.status, probe.plan) = (Some(false), None, None, None));
    named(&script, AS_STORY, Lost);
    script.records.retain(|(_, record)| !matches!(record, Record::Probe(probe) if !probe.last));
    named(&script, Criterion::Activation { p95_within: Duration::from_secs(1) }, Lost);
    let mut dead = Script::sound(1);
    dead.queues(|queue| queue.dead = 2);
    named(&dead, Criterion::ManualSteps(NONE), Lost);
    let wanted = Criterion::Alerts(["webhook_failures".to_owned()].into());
    named(&Script::sound(1), wanted, Lost);
}

#[test]
fn late_is_right_but_not_in_time() {
    let mut slow = Script::sound(1);
    slow.replies(|reply| reply.latency_us = 900_000);
    let within = Duration::from_millis(300);
    named(&slow, Criterion::AckLatency { p95_within: within }, Late);
    named(&Script::sound(1), Criterion::Activation { p95_within: Duration::from_millis(1) }, Late);
}

#[test]
fn forged_and_cross_tenant_are_told_apart_by_what_was_sent() {
    let traces = Criterion::ForgeryTraces(NONE);
    let with = |kind, expect, status| {
        let mut script = Script::sound(1);
        script.ghost();
        script.bad(kind, Some(status));
        script.plan.deliveries.last_mut().expect("just added").expect = expect;
        script
    };
    named(&with(Forged(WrongSecret), Reaction::Refuse, 200), traces.clone(), Anomaly::Forged);
    let mut foreign = with(Foreign(OtherMode), Reaction::Accept, 200);
    foreign.ledgers(|contacts, _| contacts.push(contact(999)));
    named(&foreign, traces.clone(), CrossTenant);
    let mut forged = with(Forged(WrongSecret), Reaction::Refuse, 400);
    forged.ledgers(|contacts, _| contacts.push(contact(999)));
    named(&forged, traces, Anomaly::Forged);
}

#[test]
fn unsafe_errors_are_answers_that_are_none() {
    let with = |status| {
        let mut script = Script::sound(1);
        script.bad(Malformed(MalformedBody::Empty), status);
        script
    };
    named(&with(Some(500)), Criterion::UnsafeErrors(NONE), UnsafeError);
    let mut crashed = with(None);
    crashed.before(RunPhase::Quiet, vec![(50_002, Record::Process { event: ProcessEvent::Died, detail: None })]);
    named(&crashed, Criterion::UnsafeErrors(NONE), UnsafeError);
    named(&crashed, Criterion::ManualSteps(NONE), UnsafeError);
}

#[test]
fn a_page_that_says_too_much_is_premature_and_one_that_lags_is_stale() {
    let page = |shows, change: fn(&mut Visit)| {
        let mut script = Script::sound(1);
        script.visit(300, shows, change);
        script
    };
    let failed = Criterion::FailedVisits(NONE);
    named(&page(Some("pending"), |_| {}), failed.clone(), Stale);
    named(&page(Some("sorry"), |_| {}), failed.clone(), Lost);
    named(&page(None, |visit| visit.status = Some(500)), failed.clone(), UnsafeError);
    named(&page(None, |visit| visit.error = Some("timed out".into())), failed.clone(), Late);
    let mut early = page(Some("active"), |_| {});
    early.probes(|probe| probe.access = Some(false));
    let closed = early.records.iter().find_map(|(_, record)| match record {
        Record::Probe(probe) if probe.last => Some(record.clone()),
        _ => None,
    });
    let closed = closed.expect("a final probe");
    early.before(RunPhase::Quiet, vec![(310, closed.clone()), (320, closed)]);
    named(&early, failed, Premature);
}

/// The table of names that users read, in the order of precedence.
#[test]
fn the_table_is_that_of_the_code() {
    let rows: Vec<String> =
        Anomaly::ALL.iter().map(|anomaly| format!("| {anomaly} | {} |\n", anomaly.means())).collect();
    let table = std::fs::read_to_string("scenarios/README.md").expect("the README of the scenarios");
    assert!(table.contains(&rows.concat()), "scenarios/README.md should say:\n{}", rows.concat());
}

#[test]
fn a_run_goes_by_what_most_failed_criteria_name() {
    let mut script = activated();
    holds(&mut script, false, "incomplete", "pro");
    comes_late(&mut script, "evt_1_0");
    let of = |criteria: Vec<Criterion>| judge(&scenario(criteria), &script.plan, &script.history()).anomaly();
    assert_eq!(of(vec![Criterion::EventsLost(NONE)]), None, "nothing failed");
    let slow = || Criterion::AckLatency { p95_within: Duration::from_millis(1) };
    assert_eq!(of(vec![slow(), slow(), STORY]), Some(Late));
    assert_eq!(of(vec![slow(), STORY]), Some(Stale), "a draw goes to what says more of the cause");
    let json = serde_json::to_value(script.judge(STORY)).expect("JSON");
    assert_eq!((&json["anomaly"], &json["anomalies"]["stale"]), (&"stale".into(), &1.into()));
}
