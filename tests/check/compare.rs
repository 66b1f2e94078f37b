//! Customers held against two to whom nothing went wrong: each kind of difference has its name, what two clean deliveries do
//! not agree on is asked of nobody, and what could not be compared is no pass.

use super::script::{Script, attempt_record, call, contact, instance, probe, reply, ticket};
use hookdrill::{
    check::{anomaly::Anomaly, verdict::Validity},
    history::record::{Call, Contact, Effect, Outcome, Probe, Record, RunPhase, Ticket},
    id::InstanceId,
    plan::{
        clean::{Clean, LeftOut, Pair},
        model::Phase,
    },
    scenario::criterion::{Bound, Criterion},
};

const NONE: Bound = Bound::Exactly(0);

/// The two to whom nothing went wrong: name, and the number of their ids.
const CLEAN: [(&str, usize); 2] = [("buy/clean-1a", 8), ("buy/clean-1b", 9)];

/// What the app holds after each event: access, status, plan, seats.
const TURNS: [(bool, &str, &str, i64); 3] =
    [(false, "none", "none", 0), (false, "incomplete", "starter", 3), (true, "active", "pro", 3)];

fn differences(bound: Bound) -> Criterion {
    Criterion::DifferencesFromClean { bound, ignore: Vec::new() }
}

fn ignoring(path: &str) -> Criterion {
    Criterion::DifferencesFromClean { bound: NONE, ignore: vec![path.to_owned()] }
}

fn turn(instance: &str, at: usize, last: bool) -> Record {
    let Record::Probe(mut probe) = probe(instance, last) else { panic!("a probe") };
    let (access, status, plan, seats) = TURNS[at];
    (probe.access, probe.status, probe.plan) = (Some(access), Some(status.into()), Some(plan.into()));
    probe.values = [("seats".to_owned(), seats)].into();
    Record::Probe(probe)
}

/// Three customers, and two who lived through the same before the faults began.
fn compared() -> Script {
    let mut script = Script::sound(3);
    let mut clean = Clean { pairs: vec![pair()], ..Clean::default() };
    for i in 1..=3 {
        clean.events.insert(format!("buy/{i}").as_str().into(), (0..3).map(|k| event(i, k)).collect());
    }
    let mut records = vec![(0, Record::Phase { phase: RunPhase::Clean })];
    for (name, i) in CLEAN {
        let mut own = instance(i);
        (own.id, own.person, own.end) = (name.into(), name.into(), None);
        clean.instances.push(own);
        clean.events.insert(name.into(), (0..3).map(|k| event(i, k)).collect());
        let planned = script.plan.deliveries[..3].to_vec();
        for (k, mut delivery) in planned.into_iter().enumerate() {
            delivery.id = format!("c{i:02}{k:02}").as_str().into();
            (delivery.instance, delivery.event, delivery.phase) = (name.into(), Some(event(i, k)), Phase::Clean);
            let id = delivery.id.to_string();
            clean.deliveries.push(delivery);
            records.push(attempt_record(1, &id, 1, false));
            records.push((1, Record::Reply(reply(&id, 1, Outcome::Acked))));
            records.push((1, turn(name, k, false)));
        }
        records.push((2, turn(name, 2, true)));
    }
    let contacts = CLEAN.iter().map(|(_, i)| contact(*i)).collect();
    records.push((3, Record::Ledger { contacts, tickets: Vec::new() }));
    script.ledgers(|contacts, _| contacts.extend(CLEAN.iter().map(|(_, i)| contact(*i))));
    script.queues(|queue| queue.events += clean.deliveries.len() as u64);
    script.before(RunPhase::Faults, records);
    script.plan.clean = Some(clean);
    script
}

fn pair() -> Pair {
    Pair {
        one: CLEAN[0].0.into(),
        other: CLEAN[1].0.into(),
        people: ["buy/1", "buy/2", "buy/3"].map(InstanceId::from).into(),
        without: Vec::new(),
        brought_by_replay: false,
    }
}

/// Leaves somebody with so many seats.
fn seats(n: i64) -> impl Fn(&mut Probe) {
    move |probe| probe.values = [("seats".to_owned(), n)].into()
}

fn event(i: usize, k: usize) -> hookdrill::id::EventId {
    format!("evt_{i}_{k}").as_str().into()
}

impl Script {
    /// Changes the last reading of one customer.
    fn ends(&mut self, instance: &str, change: impl Fn(&mut Probe)) {
        self.probes(|probe| {
            if probe.instance.as_str() == instance {
                change(probe);
            }
        });
    }

    /// Leaves a customer as they were after one of their events.
    fn ends_at(&mut self, instance: &str, at: usize) {
        let Record::Probe(was) = turn(instance, at, true) else { panic!("a probe") };
        self.ends(instance, |probe| *probe = was.clone());
    }

    #[track_caller]
    fn differs(&self, anomaly: Anomaly, what: &str) {
        let verdict = self.is(differences(NONE), Validity::Fail);
        assert_eq!(verdict.anomaly, Some(anomaly), "{verdict:#?}");
        assert!(verdict.why.contains(what), "{verdict:#?}");
    }
}

#[test]
fn who_ends_as_the_clean_ones_passes() {
    let verdict = compared().is(differences(NONE), Validity::Pass);
    assert_eq!(
        verdict.seen,
        "3 customers held against 2 clean ones: 0 with 0 differences; 6 values and 1 effect compared"
    );
}

#[test]
fn an_older_state_is_stale_where_its_event_came_late_and_lost_where_all_came_in_order() {
    let mut script = compared();
    script.ends_at("buy/1", 1);
    script.differs(Anomaly::Lost, "$.status is incomplete, clean: active");
    script.resent("d0002", &[Some(Outcome::Acked)]);
    script.differs(Anomaly::Stale, "$.plan is starter, clean: pro");
    // What is no clean state at all is no older one.
    script.ends("buy/1", |probe| probe.status = Some("paused".into()));
    script.differs(Anomaly::Lost, "$.status is paused, clean: active");
}

#[test]
fn more_than_clean_deliveries_lead_to_is_a_duplicate_even_in_a_run_that_was_cut_short() {
    let mut script = compared();
    script.ends("buy/2", seats(6));
    script.differs(Anomaly::Duplicate, "$.seats is 6, clean: 3");
    let mut script = compared();
    script.ledgers(|contacts, _| {
        let mut second = contact(2);
        second.id = "22".into();
        contacts.push(second);
    });
    script.differs(Anomaly::Duplicate, "2 contacts, clean: 1 contact");
    script.cut_short();
    script.differs(Anomaly::Duplicate, "2 contacts, clean: 1 contact");
}

#[test]
fn less_is_lost_and_in_a_run_that_was_cut_short_it_may_have_been_still_to_come() {
    let mut script = compared();
    script.ledgers(|contacts, _| contacts.retain(|contact| contact.id != "3"));
    script.differs(Anomaly::Lost, "0 contacts, clean: 1 contact");
    script.cut_short();
    script.is(differences(NONE), Validity::Inconclusive);
}

#[test]
fn what_no_clean_delivery_has_is_premature_and_what_is_of_nobody_an_orphan() {
    let mut script = compared();
    let Record::Call(made) =
        call("create_task", vec![Effect::TaskCreated { task: "1".into(), subject: "call them".into(), contact: None }])
    else {
        panic!("a call")
    };
    let record = Record::Call(Call { about: vec!["buy/1".into()], ..made });
    script.before(RunPhase::Quiet, vec![(500, record)]);
    script.differs(Anomaly::Premature, "task `call them` 1 time, clean: 0 times");
    for path in ["task", "task `call them`"] {
        script.is(ignoring(path), Validity::Pass);
    }
    script.is(ignoring("tas"), Validity::Fail);
    let mut script = compared();
    script.ledgers(|_, tickets| tickets.push(ticket("t1", Some("in_1"), Some("billing"), 1)));
    clean_ledger(&mut script, |_, tickets| tickets.clear());
    script.differs(Anomaly::Premature, "1 ticket, clean: 0 tickets");
    let mut script = compared();
    script.ledgers(|contacts, _| contacts.push(contact(77)));
    clean_ledger(&mut script, |contacts, _| contacts.truncate(CLEAN.len()));
    script.differs(Anomaly::Orphan, "1 contact of nobody, clean: none");
}

/// Changes what the doubles held when the clean part had ended.
fn clean_ledger(script: &mut Script, change: impl Fn(&mut Vec<Contact>, &mut Vec<Ticket>)) {
    let ledger = script.records.iter_mut().find_map(|(_, record)| match record {
        Record::Ledger { contacts, tickets } => Some((contacts, tickets)),
        _ => None,
    });
    let (contacts, tickets) = ledger.expect("the clean part's");
    change(contacts, tickets);
}

#[test]
fn what_two_clean_deliveries_differ_in_is_asked_of_nobody_and_named() {
    let mut script = compared();
    script.ends(CLEAN[1].0, seats(4));
    script.ends("buy/1", seats(9));
    let verdict = script.is(differences(NONE), Validity::Pass);
    assert!(verdict.seen.ends_with("; not compared: $.seats (two clean deliveries differ there)"), "{verdict:#?}");
    // But there it must be.
    script.ends("buy/1", |probe| probe.values.clear());
    script.differs(Anomaly::Lost, "$.seats is nothing, clean: true");
}

#[test]
fn what_is_to_be_ignored_is_and_only_that() {
    let mut script = compared();
    script.ends("buy/1", seats(9));
    let verdict = script.is(ignoring("$.seats"), Validity::Pass);
    assert!(verdict.seen.ends_with("; not compared: $.seats (to be ignored)"), "{verdict:#?}");
    script.is(ignoring("$.seat"), Validity::Fail);
}

#[test]
fn as_many_differences_as_the_bound_allows_may_be_there() {
    let mut script = compared();
    script.ends("buy/1", seats(9));
    script.is(differences(Bound::AtMost(1)), Validity::Pass);
    script.ends("buy/2", seats(9));
    script.is(differences(Bound::AtMost(1)), Validity::Fail);
}

#[test]
fn what_could_not_be_compared_is_no_pass() {
    let mut script = compared();
    script.ends("buy/1", |probe| (probe.known, probe.error) = (None, Some("answered 500".into())));
    let verdict = script.is(differences(NONE), Validity::Inconclusive);
    assert!(verdict.why.contains("answered 500"), "{verdict:#?}");

    let mut script = compared();
    script.ends(CLEAN[0].0, |probe| (probe.known, probe.error) = (None, Some("answered 500".into())));
    script.is(differences(NONE), Validity::Inconclusive);

    let mut script = compared();
    script.plan.clean = None;
    let verdict = script.is(differences(NONE), Validity::Inconclusive);
    assert!(verdict.why.contains("--compare clean"), "{verdict:#?}");

    let mut script = compared();
    let faults = |record: &Record| matches!(record, Record::Phase { phase: RunPhase::Faults });
    let at = script.records.iter().position(|(_, record)| faults(record)).expect("the faults");
    script.records.truncate(at);
    let verdict = script.is(differences(NONE), Validity::Inconclusive);
    assert_eq!(verdict.seen, "no clean delivery that came to its end", "{verdict:#?}");

    let mut script = compared();
    let why = "what a fault takes from them may have come in another way".to_owned();
    let clean = script.plan.clean.as_mut().expect("a clean part");
    clean.pairs[0].people.truncate(2);
    clean.left_out.push(LeftOut { person: "buy/3".into(), why });
    let verdict = script.is(differences(NONE), Validity::Inconclusive);
    assert!(verdict.why.starts_with("buy/3 cannot be compared"), "{verdict:#?}");
}

#[test]
fn two_clean_deliveries_that_leave_nothing_are_no_measure() {
    let mut script = compared();
    script.records.retain(|(_, record)| !matches!(record, Record::Probe(_)));
    script.ledgers(|contacts, _| contacts.clear());
    for ability in ["access_probe", "state_probe", "value_probe"] {
        script.unable(ability);
    }
    let verdict = script.is(differences(NONE), Validity::Inconclusive);
    assert!(verdict.why.contains("left nothing that could be compared"), "{verdict:#?}");
}

#[test]
fn an_event_that_was_never_acknowledged_gives_its_name_to_what_is_missing() {
    let mut script = compared();
    script.ends_at("buy/1", 1);
    script.resent("d0003", &[Some(Outcome::Refused), Some(Outcome::Refused), Some(Outcome::Refused)]);
    script.differs(Anomaly::UnboundedRedelivery, "$.status is incomplete, clean: active");
}
