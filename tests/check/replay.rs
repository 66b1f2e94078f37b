//! The full second replay, and steps by hand.

use super::script::{Script, call};
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    history::record::{Effect, Outcome, ProcessEvent, Queue, Record, RunPhase},
    plan::model::Phase,
    scenario::criterion::{Bound, Criterion},
};

const NOTHING_NEW: Criterion = Criterion::ReplayEffects(Bound::Exactly(0));
const NO_HAND: Criterion = Criterion::ManualSteps(Bound::Exactly(0));

fn replayed() -> Script {
    let mut script = Script::sound(2);
    script.replay();
    script
}

#[test]
fn a_replay_must_add_and_change_nothing() {
    assert_eq!(replayed().is(NOTHING_NEW, Pass).seen, "6 deliveries replayed, 6 acknowledged: 0 effects");
    let ticket = Effect::TicketCreated { ticket: "5".into(), external_id: None, queue: None };
    let update = |changed| Effect::ContactUpdated { contact: "1".into(), changed };
    for (effect, words) in [
        (ticket, "ticket 5 was opened"),
        (update([("x".to_owned(), (None, Some("1".to_owned())))].into()), "x of contact 1 changed"),
    ] {
        let mut script = replayed();
        script.before(RunPhase::QuietAfterReplay, vec![(72_000, call("x", vec![effect]))]);
        assert_eq!(script.is(NOTHING_NEW, Fail).why, words);
        script.cut_short();
        script.is(NOTHING_NEW, Fail);
    }
    let mut equal = replayed();
    equal.before(RunPhase::QuietAfterReplay, vec![(72_000, call("x", vec![update([].into())]))]);
    equal.is(NOTHING_NEW, Pass);
}

#[test]
fn a_state_that_changed_with_the_replay_counts() {
    let mut script = replayed();
    let mut n = 0;
    script.probes(|probe| {
        n += 1;
        probe.digest = Some(if n == 4 { "other".into() } else { "same".into() });
    });
    assert_eq!(script.is(NOTHING_NEW, Fail).why, "the state of customer cus_2 (buy/2) changed");
}

#[test]
fn a_replay_of_which_nothing_can_be_seen_shows_nothing() {
    let mut failing = replayed();
    failing.probes(|probe| probe.error = Some("answered 500".into()));
    assert!(failing.is(NOTHING_NEW, Inconclusive).why.contains("answered 500"));
    let mut nothing = replayed();
    nothing.probes(|probe| (probe.known, probe.access) = (Some(false), None));
    nothing.is(NOTHING_NEW, Pass);
    nothing.records.retain(|(_, record)| !matches!(record, Record::Call(_)));
    assert!(nothing.is(NOTHING_NEW, Inconclusive).why.contains("nothing had taken effect"));
}

#[test]
fn no_replay_or_an_unheard_one_shows_nothing() {
    Script::sound(1).is(NOTHING_NEW, Inconclusive);
    let mut unheard = replayed();
    let replay: Vec<_> =
        unheard.plan.deliveries.iter().filter(|d| d.phase == Phase::Replay).map(|d| d.id.clone()).collect();
    unheard.replies(|reply| {
        if replay.contains(&reply.delivery) {
            reply.outcome = Outcome::Refused;
        }
    });
    unheard.is(NOTHING_NEW, Inconclusive);
}

#[test]
fn dead_jobs_drift_unrouted_tickets_and_crashes_are_steps_by_hand() {
    let clean = Script::sound(1).is(NO_HAND, Pass);
    assert_eq!(
        clean.seen,
        "0 jobs given up, 0 customers whose state and contact disagree, 0 tickets in no queue, 0 crashes"
    );
    let spoiled: [fn(&mut Script); 4] = [
        |s| s.queues(|queue| queue.dead = 1),
        |s| s.queues(|queue| queue.drift = Some(1)),
        |s| s.queues(|queue| queue.unrouted = 1),
        |s| s.before(RunPhase::Quiet, vec![(9, Record::Process { event: ProcessEvent::Died, detail: None })]),
    ];
    for spoil in spoiled {
        let mut script = Script::sound(1);
        spoil(&mut script);
        script.is(NO_HAND, Fail);
        script.is(Criterion::ManualSteps(Bound::AtMost(1)), Pass);
    }
    let mut killed = Script::sound(1);
    killed.before(RunPhase::Quiet, vec![(9, Record::Process { event: ProcessEvent::Killed, detail: None })]);
    killed.is(NO_HAND, Pass);
}

#[test]
fn without_a_final_report_steps_by_hand_are_not_known() {
    let mut script = Script::sound(1);
    script.queues(|queue| queue.last = false);
    script.is(NO_HAND, Inconclusive);
    script.unable("queue");
    assert_eq!(
        script.is(NO_HAND, Inconclusive).why,
        "the target has no report of its queue, which only the embedded service gives"
    );
    let mut drift = Script::sound(1);
    drift.queues(|queue| queue.drift = Some(1));
    drift.cut_short();
    drift.is(NO_HAND, Inconclusive);
    drift.queues(|queue| queue.dead = 1);
    drift.is(NO_HAND, Fail);
}

/// Readings of a queue that never empties, every second for so long after the quiet phase began.
fn waiting(secs: u64) -> Script {
    let mut script = Script::sound(1);
    let (quiet, _) = script
        .records
        .iter()
        .find(|(_, record)| matches!(record, Record::Phase { phase: RunPhase::Quiet }))
        .cloned()
        .expect("a quiet phase");
    script.records.retain(|(at, record)| *at <= quiet && !matches!(record, Record::Queue(_) | Record::End { .. }));
    let queue = Queue { pending: 2, dead: 0, drift: None, unrouted: 0, events: 1, last: false };
    script.records.extend((0..=secs).map(|s| (quiet + s * 1000, Record::Queue(queue.clone()))));
    let incomplete = Some("the quiet budget was used up".to_owned());
    script.records.push((quiet + secs * 1000, Record::End { incomplete, lateness_p99_us: 0 }));
    script
}

#[test]
fn work_that_nobody_takes_up_is_a_step_by_hand_but_only_after_long_silence() {
    let forgotten = waiting(61).is(NO_HAND, Fail);
    assert!(forgotten.why.contains("nobody takes the work up"), "{}", forgotten.why);
    waiting(30).is(NO_HAND, Inconclusive);
    let mut busy = waiting(61);
    let at = busy.records.last().map_or(0, |(at, _)| at - 10_000);
    busy.records.push((at, call("search_contacts", Vec::new())));
    busy.records.sort_by_key(|(at, record)| (*at, matches!(record, Record::End { .. })));
    busy.is(NO_HAND, Inconclusive);
}
