//! A sound run built by hand, which a test then spoils in one place.

use hookdrill::{
    check::{
        judge,
        verdict::{Validity, Verdict},
    },
    history::{
        file::History,
        record::{
            Attempt, Call, Contact, Effect, Entry, HISTORY_VERSION, Outcome, Probe, Queue, Record, Reply, RunPhase,
            Start, Ticket, Visit,
        },
    },
    id::InstanceId,
    plan::model::{
        Action, Delivery, DeliveryKind, Instance, PLAN_VERSION, Phase, Plan, PlannedStep, Reaction, Signing,
    },
    scenario::{
        criterion::Criterion,
        fault::Double,
        model::{Agent, Body, DeliveryOptions, Page, Quiet, Scenario},
    },
    stripe::{
        recording::{Access, Expectation},
        retry::RetrySchedule,
    },
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

/// Events of each customer in a sound run; the second completes the Checkout.
pub(super) const EVENTS: [&str; 3] = ["customer.created", "checkout.session.completed", "invoice.paid"];

/// A plan and the records of its run, numbered when they are judged.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) plan: Plan,
    pub(super) records: Vec<(u64, Record)>,
    pub(super) truncated: bool,
}

impl Script {
    /// `n` customers who bought: all acknowledged at once, access open, one contact each, nothing left to do.
    pub(super) fn sound(n: usize) -> Self {
        let mut script = Self { plan: empty_plan(), records: vec![(0, start())], truncated: false };
        script.phase(0, RunPhase::Faults);
        for i in 1..=n {
            script.plan.instances.push(instance(i));
        }
        for i in 1..=n {
            script.buys(i);
        }
        script.phase(60_000, RunPhase::Quiet);
        script.settle(61_000);
        script.records.push((70_000, Record::End { incomplete: None, lateness_p99_us: 900 }));
        script
    }

    fn buys(&mut self, i: usize) {
        for (k, kind) in EVENTS.iter().enumerate() {
            let at = (i * 100 + k * 10) as u64;
            let id = self.plan_delivery(&format!("buy/{i}"), &format!("evt_{i}_{k}"), kind, at);
            self.attempt(at, &id, 1, Some(Outcome::Acked));
        }
        let effects = vec![Effect::ContactCreated { contact: format!("{i}"), email: Some(email(i)) }];
        self.records.push(((i * 100 + 30) as u64, call("create_contact", effects)));
        self.records.push(((i * 100 + 40) as u64, probe(&format!("buy/{i}"), false)));
    }

    /// Final probes, ledger and queue.
    fn settle(&mut self, at: u64) {
        let ids: Vec<String> = self.plan.instances.iter().filter(|i| !i.ghost).map(|i| i.id.to_string()).collect();
        for id in &ids {
            self.records.push((at, probe(id, true)));
        }
        let contacts = (1..=ids.len()).map(contact).collect();
        self.records.push((at, Record::Ledger { contacts, tickets: Vec::new() }));
        let events = self.plan.deliveries.iter().filter(|d| d.phase == Phase::Faults).count() as u64;
        let queue = Queue { pending: 0, dead: 0, drift: Some(0), unrouted: 0, events, last: true };
        self.records.push((at, Record::Queue(queue)));
    }

    /// Adds a delivery to the plan, genuine and owed, and gives its id.
    pub(super) fn plan_delivery(&mut self, instance: &str, event: &str, kind: &str, at_ms: u64) -> String {
        let id = format!("d{:04}", self.plan.deliveries.len() + 1);
        self.plan.deliveries.push(Delivery {
            id: id.as_str().into(),
            instance: instance.into(),
            event: Some(event.into()),
            event_type: kind.into(),
            kind: DeliveryKind::Genuine,
            body: "00".into(),
            at_ms,
            phase: Phase::Faults,
            signature: Signing::Genuine,
            drop_first: 0,
            transport: Vec::new(),
            expect: Reaction::Accept,
            owed: true,
            faults: Vec::new(),
        });
        id
    }

    /// Adds an extra delivery that must be refused, before the quiet phase, answered with `status`.
    pub(super) fn bad(&mut self, kind: DeliveryKind, status: Option<u16>) -> String {
        let id = self.plan_delivery("ghost/1", "evt_1_1", "checkout.session.completed", 50_000);
        let delivery = self.plan.deliveries.last_mut().expect("just added");
        let expect = if kind == DeliveryKind::UnknownType { Reaction::Accept } else { Reaction::Refuse };
        (delivery.kind, delivery.expect, delivery.owed) = (kind, expect, false);
        let outcome = match status {
            Some(200..=299) => Outcome::Acked,
            Some(_) => Outcome::Refused,
            None => Outcome::Indefinite,
        };
        let mut records = vec![attempt_record(50_000, &id, 1, false)];
        let mut reply = reply(&id, 1, outcome);
        reply.status = status;
        records.push((50_001, Record::Reply(reply)));
        self.before(RunPhase::Quiet, records);
        id
    }

    /// Appends an attempt and its end.
    pub(super) fn attempt(&mut self, at: u64, delivery: &str, number: u32, outcome: Option<Outcome>) {
        self.records.push(attempt_record(at, delivery, number, outcome.is_none()));
        if let Some(outcome) = outcome {
            self.records.push((at + 2, Record::Reply(reply(delivery, number, outcome))));
        }
    }

    /// Replaces the attempts of a delivery; `None` is a dropped one.
    pub(super) fn resent(&mut self, delivery: &str, outcomes: &[Option<Outcome>]) {
        self.records.retain(|(_, record)| match record {
            Record::Attempt(a) => a.delivery.as_str() != delivery,
            Record::Reply(r) => r.delivery.as_str() != delivery,
            _ => true,
        });
        let mut other = Self { records: Vec::new(), ..self.clone() };
        for (i, outcome) in outcomes.iter().enumerate() {
            other.attempt(i as u64 * 1000 + 100, delivery, i as u32 + 1, *outcome);
        }
        self.before(RunPhase::Quiet, other.records);
    }

    /// Puts records before a phase begins.
    pub(super) fn before(&mut self, phase: RunPhase, records: Vec<(u64, Record)>) {
        let is = |record: &Record| matches!(record, Record::Phase { phase: of } if *of == phase);
        let at = self.records.iter().position(|(_, record)| is(record)).expect("the phase");
        self.records.splice(at..at, records);
    }

    pub(super) fn phase(&mut self, at: u64, phase: RunPhase) {
        self.records.push((at, Record::Phase { phase }));
    }

    /// Adds the full second replay: everything delivered and acknowledged again, then the same end states.
    pub(super) fn replay(&mut self) {
        let end = self.records.pop().expect("an end");
        self.phase(71_000, RunPhase::Replay);
        let genuine: Vec<Delivery> = self.plan.deliveries.clone();
        for delivery in genuine {
            let event = delivery.event.expect("an event").to_string();
            let id = self.plan_delivery(delivery.instance.as_str(), &event, &delivery.event_type, 0);
            let copy = self.plan.deliveries.last_mut().expect("just added");
            (copy.kind, copy.phase) = (DeliveryKind::Duplicate, Phase::Replay);
            self.attempt(71_000, &id, 1, Some(Outcome::Acked));
        }
        self.phase(80_000, RunPhase::QuietAfterReplay);
        self.settle(81_000);
        self.records.push(end);
    }

    /// Adds a customer who only stands in forged bodies.
    pub(super) fn ghost(&mut self) {
        let ghost =
            Instance { ghost: true, id: "ghost/1".into(), person: "ghost/1".into(), end: None, ..instance(999) };
        self.plan.instances.push(ghost);
    }

    /// Adds a planned visit of the success page and what it showed.
    pub(super) fn visit(&mut self, at: u64, shows: Option<&str>, change: impl FnOnce(&mut Visit)) {
        let instance = InstanceId::from("buy/1");
        let action = Action::Visit(Page::Success);
        self.plan.steps.push(PlannedStep {
            at_ms: at,
            instance: instance.clone(),
            action,
            agent: Agent::Desktop,
            ticket: None,
        });
        let shows = shows.map(str::to_owned);
        let mut visit =
            Visit { instance, action, ticket: None, status: Some(200), shows, leaks: Vec::new(), error: None };
        change(&mut visit);
        self.before(RunPhase::Quiet, vec![(at + 3, Record::Visit(visit))]);
    }

    /// Changes every final probe.
    pub(super) fn probes(&mut self, mut change: impl FnMut(&mut Probe)) {
        self.records.iter_mut().for_each(|(_, record)| match record {
            Record::Probe(probe) if probe.last => change(probe),
            _ => {}
        });
    }

    /// Changes every reply.
    pub(super) fn replies(&mut self, mut change: impl FnMut(&mut Reply)) {
        self.records.iter_mut().for_each(|(_, record)| {
            if let Record::Reply(reply) = record {
                change(reply);
            }
        });
    }

    /// Changes every ledger.
    pub(super) fn ledgers(&mut self, mut change: impl FnMut(&mut Vec<Contact>, &mut Vec<Ticket>)) {
        self.records.iter_mut().for_each(|(_, record)| {
            if let Record::Ledger { contacts, tickets } = record {
                change(contacts, tickets);
            }
        });
    }

    /// Changes every report of the queue.
    pub(super) fn queues(&mut self, mut change: impl FnMut(&mut Queue)) {
        self.records.iter_mut().for_each(|(_, record)| {
            if let Record::Queue(queue) = record {
                change(queue);
            }
        });
    }

    /// Gives the target an ability.
    pub(super) fn able(&mut self, ability: &str) {
        if let Some((_, Record::Start(start))) = self.records.first_mut() {
            start.abilities.push(ability.to_owned());
        }
    }

    /// Takes an ability from the target.
    pub(super) fn unable(&mut self, ability: &str) {
        if let Some((_, Record::Start(start))) = self.records.first_mut() {
            start.abilities.retain(|a| a != ability);
        }
    }

    /// Takes the end record away: a run that was cut short.
    pub(super) fn cut_short(&mut self) {
        self.records.pop();
    }

    /// The history, numbered.
    pub(super) fn history(&self) -> History {
        let entries = self.records.iter().enumerate();
        let entries =
            entries.map(|(i, (at_ms, record))| Entry { n: i as u64 + 1, at_ms: *at_ms, record: record.clone() });
        History { entries: entries.collect(), truncated: self.truncated }
    }

    /// The verdict on one criterion.
    pub(super) fn judge(&self, criterion: Criterion) -> Verdict {
        let verdicts = judge(&scenario(vec![criterion]), &self.plan, &self.history());
        verdicts.verdicts.into_iter().next().expect("one criterion, one verdict")
    }

    /// Judges, and holds that the verdict is this one; gives its words for more.
    #[track_caller]
    pub(super) fn is(&self, criterion: Criterion, validity: Validity) -> Verdict {
        let verdict = self.judge(criterion);
        assert_eq!(verdict.validity, validity, "{verdict:#?}");
        assert!(!verdict.why.is_empty() && !verdict.seen.is_empty() && !verdict.expected.is_empty(), "{verdict:#?}");
        verdict
    }
}

fn empty_plan() -> Plan {
    Plan {
        version: PLAN_VERSION,
        scenario: "by hand".into(),
        seed: 7,
        epoch: Timestamp::default(),
        retry_waits_ms: vec![1000, 1000],
        timeout_ms: 5000,
        quiet_budget_ms: 10_000,
        instances: Vec::new(),
        deliveries: Vec::new(),
        steps: Vec::new(),
        outages: Vec::new(),
        troubles: Vec::new(),
        stripe: None,
        clean: None,
        alerts: false,
        declared: Vec::new(),
        timeline: None,
        quiet_least_ms: 0,
        recovers_within_ms: 0,
        store_busy: Vec::new(),
        clock: Vec::new(),
        kills: Vec::new(),
        given: Vec::new(),
        faults: Vec::new(),
        bodies: BTreeMap::new(),
    }
}

fn start() -> Record {
    let abilities =
        ["access_probe", "state_probe", "value_probe", "crm", "support", "pages", "queue", "process", "alerts"]
            .map(String::from);
    Record::Start(Start {
        version: HISTORY_VERSION,
        hookdrill: "0.1.0".into(),
        scenario: "by hand".into(),
        seed: 7,
        epoch: Timestamp::default(),
        started: Timestamp::default(),
        body: "simulated".into(),
        target: "embedded reference service".into(),
        abilities: abilities.to_vec(),
        options: BTreeMap::new(),
    })
}

pub(super) fn scenario(criteria: Vec<Criterion>) -> Scenario {
    Scenario {
        name: "by hand".into(),
        slug: "by-hand".into(),
        about: String::new(),
        covers: Vec::new(),
        asks_more: None,
        body: Body::Both,
        stories: Vec::new(),
        steps: Vec::new(),
        given: Vec::new(),
        faults: Vec::new(),
        delivery: DeliveryOptions {
            retry: RetrySchedule { name: "custom".into(), waits: Vec::new() },
            timeout: Duration::from_secs(5),
        },
        simulation: Default::default(),
        quiet: Quiet { budget: Duration::from_secs(10), least: Duration::ZERO },
        doubles: Default::default(),
        declared: Vec::new(),
        criteria,
    }
}

pub(super) fn email(i: usize) -> String {
    format!("buyer{i}@example.com")
}

/// The right end of a purchase.
pub(super) fn granted() -> Expectation {
    Expectation {
        access: Access::Granted,
        status: "active".into(),
        plan: "pro".into(),
        contacts: 1,
        tickets: BTreeMap::new(),
    }
}

pub(super) fn instance(i: usize) -> Instance {
    Instance {
        id: format!("buy/{i}").as_str().into(),
        story: "buy".into(),
        continues: None,
        person: format!("buy/{i}").as_str().into(),
        user: None,
        email: Some(email(i)),
        customer: Some(format!("cus_{i}").as_str().into()),
        subscription: Some(format!("sub_{i}").as_str().into()),
        session: None,
        completes_with: Some(format!("evt_{i}_1").as_str().into()),
        failed_invoices: Vec::new(),
        end: Some(granted()),
        turns: Vec::new(),
        ghost: false,
    }
}

pub(super) fn contact(i: usize) -> Contact {
    let properties = [("email".to_owned(), email(i)), ("stripe_customer_id".to_owned(), format!("cus_{i}"))];
    Contact { id: format!("{i}"), properties: properties.into(), created_ms: 0, given: false }
}

pub(super) fn ticket(id: &str, key: Option<&str>, queue: Option<&str>, requester: usize) -> Ticket {
    Ticket {
        id: id.into(),
        external_id: key.map(str::to_owned),
        subject: "Payment failed".into(),
        queue: queue.map(str::to_owned),
        requester: Some(email(requester)),
        status: "new".into(),
        tags: Vec::new(),
        created_ms: 0,
    }
}

pub(super) fn call(operation: &str, effects: Vec<Effect>) -> Record {
    Record::Call(Call {
        double: Double::Crm,
        operation: operation.into(),
        status: 201,
        faulted: false,
        fault: None,
        about: Vec::new(),
        effects,
    })
}

pub(super) fn probe(instance: &str, last: bool) -> Record {
    Record::Probe(Probe {
        instance: instance.into(),
        last,
        known: Some(true),
        access: Some(true),
        status: Some("active".into()),
        plan: Some("pro".into()),
        values: [("seats".to_owned(), 3)].into(),
        digest: Some("same".into()),
        answer: None,
        error: None,
    })
}

pub(super) fn attempt_record(at: u64, delivery: &str, attempt: u32, dropped: bool) -> (u64, Record) {
    (
        at,
        Record::Attempt(Attempt {
            delivery: delivery.into(),
            attempt,
            planned_ms: at,
            late_us: 0,
            dropped,
            fault: None,
            faults: Vec::new(),
        }),
    )
}

pub(super) fn reply(delivery: &str, attempt: u32, outcome: Outcome) -> Reply {
    let status = match outcome {
        Outcome::Acked => Some(200),
        Outcome::Refused => Some(500),
        Outcome::Indefinite => None,
    };
    Reply {
        delivery: delivery.into(),
        attempt,
        outcome,
        status,
        latency_us: 2_000,
        reason: None,
        text: None,
        leaks: Vec::new(),
    }
}
