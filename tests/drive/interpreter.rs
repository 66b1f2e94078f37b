//! The interpreter fed by hand: inputs in, directives out, no clock.

use hookdrill::{
    drive::interpreter::{Abilities, Directive, Input, Interpreter, Sending},
    history::record::{Outcome, RunPhase},
    id::{DeliveryId, InstanceId},
    plan::model::{Busy, ClockOff, Delivery, DeliveryKind, Kill, KillAt, PLAN_VERSION, Phase, Plan, Reaction, Signing},
    time::Timestamp,
};
use std::collections::BTreeMap;

fn plan(deliveries: &[(u64, Reaction)]) -> Plan {
    let delivery = |(n, (at_ms, expect)): (usize, &(u64, Reaction))| Delivery {
        id: DeliveryId::new(format!("d{n}")),
        instance: InstanceId::from("story/1"),
        event: None,
        event_type: "invoice.paid".into(),
        kind: DeliveryKind::Genuine,
        body: String::new(),
        at_ms: *at_ms,
        phase: Phase::Faults,
        signature: Signing::Genuine,
        drop_first: 0,
        transport: Vec::new(),
        expect: *expect,
        owed: true,
        faults: Vec::new(),
    };
    Plan {
        stripe: None,
        clean: None,
        alerts: false,
        declared: Vec::new(),
        timeline: None,
        quiet_least_ms: 0,
        recovers_within_ms: 0,
        store_busy: Vec::new(),
        clock: Vec::new(),
        version: PLAN_VERSION,
        scenario: "by hand".into(),
        seed: 1,
        epoch: Timestamp::default(),
        retry_waits_ms: vec![100, 200],
        timeout_ms: 1000,
        quiet_budget_ms: 5000,
        instances: Vec::new(),
        deliveries: deliveries.iter().enumerate().map(delivery).collect(),
        steps: Vec::new(),
        outages: Vec::new(),
        troubles: Vec::new(),
        kills: Vec::new(),
        given: Vec::new(),
        faults: Vec::new(),
        bodies: BTreeMap::new(),
    }
}

/// Runs to the end; `answer` says how each attempt ends, at once. Gives every directive with its time.
fn run(plan: &Plan, queue: impl Fn(u64) -> Option<u64>, answer: impl Fn(Sending) -> Outcome) -> Vec<(u64, Directive)> {
    let mut machine = Interpreter::new(plan, Abilities { probe: false, queue: true, processes: 3 });
    let (mut now, mut said) = (0, Vec::new());
    loop {
        let directive = machine.poll(now);
        match &directive {
            Directive::Wait { until_ms } => {
                assert!(*until_ms > now, "waiting for the past never ends");
                now = *until_ms;
                continue;
            }
            Directive::Send(sending) => {
                machine.on(now, Input::Ended { delivery: sending.delivery, outcome: answer(*sending) });
            }
            Directive::ReadQueue { last } => machine.on(now, Input::Queue { pending: queue(now), last: *last }),
            Directive::Restart => machine.on(now, Input::Up),
            // Whoever is told to stop takes a fifth of a second.
            Directive::Stop => {
                now += 200;
                machine.on(now, Input::Stopped);
            }
            _ => {}
        }
        let done = matches!(directive, Directive::Done { .. });
        said.push((now, directive));
        assert!(said.len() < 1000, "it ends");
        if done {
            return said;
        }
    }
}

fn attempts(said: &[(u64, Directive)]) -> Vec<(u64, usize, u32)> {
    let sent = said.iter().filter_map(|(at, d)| match d {
        Directive::Send(s) | Directive::Lose(s) => Some((*at, s.delivery, s.attempt)),
        _ => None,
    });
    sent.collect()
}

#[test]
fn what_is_not_acknowledged_is_tried_again_by_the_schedule_and_then_given_up() {
    let plan = plan(&[(10, Reaction::Accept)]);
    for outcome in [Outcome::Refused, Outcome::Indefinite] {
        let said = run(&plan, |_| Some(0), |_| outcome);
        assert_eq!(attempts(&said), [(10, 0, 1), (110, 0, 2), (310, 0, 3)], "{outcome:?}");
        assert_eq!(said.last().map(|(_, d)| d.clone()), Some(Directive::Done { incomplete: None }));
    }
    let second = run(&plan, |_| Some(0), |s| if s.attempt == 2 { Outcome::Acked } else { Outcome::Refused });
    assert_eq!(attempts(&second), [(10, 0, 1), (110, 0, 2)]);
}

#[test]
fn a_forged_delivery_comes_once() {
    let said = run(&plan(&[(10, Reaction::Refuse)]), |_| Some(0), |_| Outcome::Refused);
    assert_eq!(attempts(&said), [(10, 0, 1)]);
}

#[test]
fn sends_are_open_loop_and_in_the_order_of_the_plan() {
    let plan = plan(&[(30, Reaction::Accept), (10, Reaction::Accept), (10, Reaction::Accept)]);
    let said = run(&plan, |_| Some(0), |_| Outcome::Acked);
    assert_eq!(attempts(&said), [(10, 1, 1), (10, 2, 1), (30, 0, 1)]);
}

#[test]
fn lost_attempts_count_as_attempts_and_are_never_sent() {
    let mut plan = plan(&[(10, Reaction::Accept)]);
    plan.deliveries[0].drop_first = 2;
    let said = run(&plan, |_| Some(0), |_| Outcome::Acked);
    let lost = said.iter().filter(|(_, d)| matches!(d, Directive::Lose(_))).count();
    assert_eq!((lost, attempts(&said)), (2, vec![(10, 0, 1), (110, 0, 2), (310, 0, 3)]));
}

#[test]
fn the_quiet_phase_waits_for_the_queue_and_says_when_its_budget_is_used_up() {
    let plan = plan(&[(10, Reaction::Accept)]);
    let drains = run(&plan, |now| Some(u64::from(now < 900)), |_| Outcome::Acked);
    let (end, last) = drains.last().expect("an end");
    assert!(*end >= 900 && *last == Directive::Done { incomplete: None }, "{end} {last:?}");
    for stuck in [Some(1), None] {
        let said = run(&plan, |_| stuck, |_| Outcome::Acked);
        let (end, last) = said.last().expect("an end");
        assert!(matches!(last, Directive::Done { incomplete: Some(_) }), "{last:?}");
        assert!((5000..5100).contains(end), "{end}");
        assert!(!said.iter().any(|(_, d)| *d == Directive::Ledger), "nothing is read that could be taken for an end");
    }
}

#[test]
fn a_kill_follows_the_acknowledgement_and_the_service_comes_back() {
    let mut plan = plan(&[(10, Reaction::Accept), (20, Reaction::Accept)]);
    plan.kills.push(Kill { at: KillAt::OnAckOf(DeliveryId::from("d0")), restart_after_ms: 300, lot: None });
    let said = run(&plan, |_| Some(0), |_| Outcome::Acked);
    let at = |wanted: &Directive| said.iter().find(|(_, d)| d == wanted).map(|(at, _)| *at);
    assert_eq!((at(&Directive::Kill), at(&Directive::Restart)), (Some(10), Some(310)));
    assert!(at(&Directive::Enter(RunPhase::Quiet)) >= Some(310), "the quiet phase begins when it is back");
    assert_eq!(said.iter().filter(|(_, d)| *d == Directive::Kill).count(), 1);
}

#[test]
fn the_replay_comes_after_the_first_ledger_and_is_drained_again() {
    let mut plan = plan(&[(10, Reaction::Accept), (10, Reaction::Accept)]);
    plan.deliveries[1].phase = Phase::Replay;
    let said = run(&plan, |_| Some(0), |_| Outcome::Acked);
    let order: Vec<_> = said
        .iter()
        .filter(|(_, d)| matches!(d, Directive::Enter(_) | Directive::Ledger | Directive::Send(_)))
        .map(|(_, d)| match d {
            Directive::Enter(phase) => format!("{phase:?}"),
            Directive::Send(s) => format!("send {}", s.delivery),
            _ => "ledger".to_owned(),
        })
        .collect();
    assert_eq!(order, ["Faults", "send 0", "Quiet", "ledger", "Replay", "send 1", "QuietAfterReplay", "ledger"]);
}

#[test]
fn a_stop_comes_back_so_long_after_its_end_and_is_told_once_at_a_time() {
    let mut plan = plan(&[(10, Reaction::Accept), (20, Reaction::Accept)]);
    let stop = |at_ms| Kill { at: KillAt::StopAt(at_ms), restart_after_ms: 300, lot: None };
    plan.kills = vec![stop(50), stop(400)];
    let said = run(&plan, |_| Some(0), |_| Outcome::Acked);
    let at = |wanted: &Directive| said.iter().find(|(_, d)| d == wanted).map(|(at, _)| *at);
    assert_eq!(said.iter().filter(|(_, d)| *d == Directive::Stop).count(), 1, "at 400 it is away: {said:?}");
    assert_eq!(at(&Directive::Restart), Some(550), "told at 50, ended at 250");
    assert!(at(&Directive::Enter(RunPhase::Quiet)) >= Some(550), "the quiet phase begins when it is back");
}

#[test]
fn store_and_clock_go_on_and_off_and_overlapping_ones_count_together() {
    let mut plan = plan(&[(10, Reaction::Accept)]);
    let busy = |from_ms, until_ms| Busy { from_ms, until_ms };
    let clock = |from_ms, until_ms, offset_ms| ClockOff { from_ms, until_ms, offset_ms };
    plan.store_busy = vec![busy(100, 300), busy(200, 400)];
    plan.clock = vec![clock(0, None, 60_000), clock(150, Some(500), -400_000)];
    let said = run(&plan, |_| Some(0), |_| Outcome::Acked);
    let told: Vec<_> = said
        .iter()
        .filter(|(_, d)| matches!(d, Directive::LockStore(_) | Directive::SetClock(_)))
        .map(|(at, d)| (*at, d.clone()))
        .collect();
    assert_eq!(
        told,
        [
            (0, Directive::SetClock(60_000)),
            (100, Directive::LockStore(true)),
            (150, Directive::SetClock(-340_000)),
            (400, Directive::LockStore(false)),
            (500, Directive::SetClock(60_000)),
        ]
    );
}
