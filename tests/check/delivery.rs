//! Success rate, lost events, acknowledged in vain.

use super::script::Script;
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    history::record::{
        Outcome::{Acked, Indefinite, Refused},
        Record,
    },
    plan::model::DeliveryKind,
    scenario::criterion::{Bound, Criterion},
};

const NONE_LOST: Criterion = Criterion::EventsLost(Bound::Exactly(0));
const NONE_IN_VAIN: Criterion = Criterion::AckedWithoutEffect(Bound::Exactly(0));
const RATE: Criterion = Criterion::SuccessRate { above: 0.99 };

#[test]
fn events_are_lost_only_when_no_attempt_was_acknowledged() {
    let mut script = Script::sound(2);
    assert_eq!(script.is(NONE_LOST, Pass).seen, "6 owed events: 6 acknowledged, 0 lost");
    script.resent("d0001", &[None, Some(Indefinite), Some(Acked)]);
    script.is(NONE_LOST, Pass);
    script.resent("d0001", &[Some(Refused), Some(Refused), Some(Refused)]);
    let lost = script.is(NONE_LOST, Fail);
    assert_eq!(lost.seen, "6 owed events: 5 acknowledged, 1 lost");
    assert!(
        !lost.evidence.is_empty() && lost.chain.iter().any(|l| l.contains("attempts 1 to 3) refused with 500")),
        "{lost:#?}"
    );
    script.is(Criterion::EventsLost(Bound::AtMost(1)), Pass);
    script.resent("d0001", &[Some(Refused), Some(Refused), Some(Indefinite)]);
    script.is(NONE_LOST, Fail);
}

#[test]
fn another_delivery_of_the_same_event_makes_it_good() {
    let mut script = Script::sound(1);
    script.resent("d0001", &[Some(Refused), Some(Refused), Some(Refused)]);
    script.is(NONE_LOST, Fail);
    let copy = script.plan_delivery("buy/1", "evt_1_0", "customer.created", 900);
    script.plan.deliveries.last_mut().expect("it").kind = DeliveryKind::Duplicate;
    script.resent(&copy, &[Some(Acked)]);
    script.is(NONE_LOST, Pass);
}

#[test]
fn a_replay_afterwards_does_not_hide_a_lost_event() {
    let mut script = Script::sound(1);
    script.resent("d0001", &[Some(Refused), Some(Refused), Some(Refused)]);
    script.replay();
    script.is(NONE_LOST, Fail);
}

#[test]
fn nothing_owed_or_not_done_is_inconclusive() {
    Script::sound(0).is(NONE_LOST, Inconclusive);
    let mut open = Script::sound(1);
    open.resent("d0001", &[Some(Refused), Some(Refused)]);
    assert!(open.is(NONE_LOST, Inconclusive).why.contains("still had retries left"));
    let mut unsent = Script::sound(1);
    unsent.resent("d0002", &[]);
    assert!(
        unsent.is(NONE_LOST, Inconclusive).why.contains("1 of 3 planned deliveries were never sent (the first: d0002)")
    );
    let mut cut = Script::sound(1);
    cut.cut_short();
    assert!(cut.is(NONE_LOST, Inconclusive).why.contains("no end record"));
}

#[test]
fn a_success_rate_needs_its_sample() {
    let thin = Script::sound(99).is(RATE, Inconclusive);
    assert!(thin.why.contains("needs at least 299 events, here are 297"), "{}", thin.why);
    let enough = Script::sound(100).is(RATE, Pass);
    assert!(
        enough.seen.starts_with("300 of 300 events (100 %); at least 99 % with 95 % confidence"),
        "{}",
        enough.seen
    );
    let mut one_lost = Script::sound(157);
    one_lost.resent("d0001", &[Some(Refused), Some(Refused), Some(Refused)]);
    let thin = one_lost.is(RATE, Inconclusive);
    assert!(thin.why.contains("needs at least 473 events, here are 471"), "{}", thin.why);
    let mut one_of_474 = Script::sound(158);
    one_of_474.resent("d0001", &[Some(Refused), Some(Refused), Some(Refused)]);
    one_of_474.is(RATE, Pass);
    assert!(Script::sound(100).is(Criterion::SuccessRate { above: 1.0 }, Inconclusive).why.contains("events_lost"));
}

#[test]
fn an_acknowledged_event_without_effect_is_no_success() {
    let mut script = Script::sound(10);
    script.probes(|probe| probe.access = Some(probe.instance.as_str() != "buy/3"));
    let failed = script.is(RATE, Fail);
    assert!(failed.seen.starts_with("27 of 30 events (90 %)"), "{}", failed.seen);
    assert!(failed.why.contains("customer cus_3 (buy/3): access is closed and should be open"), "{}", failed.why);
    assert!(failed.chain.iter().any(|l| l.contains("final probe of buy/3: access closed")), "{failed:#?}");
    script.cut_short();
    script.is(RATE, Inconclusive);
}

#[test]
fn acknowledged_in_vain_by_probe_contact_ticket_or_store() {
    assert_eq!(
        Script::sound(2).is(NONE_IN_VAIN, Pass).seen,
        "6 acknowledged events: 0 of customers whose end is wrong, 0 not stored"
    );
    let spoiled: [fn(&mut Script); 5] = [
        |s| s.probes(|p| p.plan = Some("basic".into())),
        |s| s.probes(|p| (p.known, p.access) = (Some(false), None)),
        |s| s.ledgers(|contacts, _| contacts.clear()),
        |s| s.ledgers(|_, tickets| tickets.push(super::script::ticket("1", None, Some("billing"), 1))),
        |s| s.queues(|queue| queue.events -= 1),
    ];
    for (i, spoil) in spoiled.iter().enumerate() {
        let mut script = Script::sound(2);
        spoil(&mut script);
        let verdict = script.judge(NONE_IN_VAIN);
        assert_eq!(verdict.validity, Fail, "{i}: {verdict:#?}");
    }
    let mut unread = Script::sound(2);
    unread.probes(|p| p.error = Some("time-out".into()));
    assert!(unread.is(NONE_IN_VAIN, Inconclusive).why.contains("time-out"));
}

#[test]
fn imported_traffic_counts_by_acknowledgements_and_says_so() {
    let mut script = Script::sound(100);
    script.plan.instances.iter_mut().for_each(|i| i.end = None);
    script.unable("access_probe");
    let rate = script.is(RATE, Pass);
    assert!(rate.seen.ends_with("by acknowledgements alone: no story says what is right"), "{}", rate.seen);
    script.is(NONE_IN_VAIN, Inconclusive);
}

#[test]
fn jobs_still_waiting_leave_the_end_open() {
    let mut script = Script::sound(1);
    script.queues(|queue| queue.pending = 2);
    assert!(script.is(NONE_LOST, Inconclusive).why.contains("2 jobs still waiting"));
    let mut said = Script::sound(1);
    let (_, end) = said.records.last_mut().expect("an end");
    *end = Record::End { incomplete: Some("quiet budget used up".into()), lateness_p99_us: 0 };
    assert!(said.is(NONE_LOST, Inconclusive).why.contains("quiet budget used up"));
}
