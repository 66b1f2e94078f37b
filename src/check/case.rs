//! One run laid out for the judges: people and their chains of stories, owed events and their fate, end states, gaps.
//!
//! Must not know: any criterion.

use super::{effect, owner::Owners, words};
use crate::{
    history::{
        file::History,
        lookup::{Ledger, Lookup},
        record::{Contact, Outcome, RunPhase, Ticket},
    },
    id::{EventId, InstanceId},
    plan::{
        clean,
        model::{Delivery, DeliveryKind, Instance, Phase, Plan},
    },
    scenario::fault::Fault,
    stripe::recording::Expectation,
};
use std::collections::{BTreeMap, BTreeSet};

/// A run as the judges see it.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) plan: &'a Plan,
    /// Faults of the scenario, numbered as in the plan.
    pub(super) faults: &'a [Fault],
    pub(super) seen: Lookup<'a>,
    /// When the faults began, where a clean part came before them: the times of a plan count from there. Else 0.
    pub(super) faults_from_ms: u64,
    /// People, ghosts too: those who share a person share contact and tickets.
    pub(super) people: Vec<Person<'a>>,
    /// Stripe customers: an instance and those that go on from it. No ghosts.
    pub(super) chains: Vec<Chain<'a>>,
    /// Owed events, in the order of the plan.
    pub(super) events: Vec<Owed<'a>>,
    /// What the run lacks, in a sentence; absent when it was carried out to its end.
    pub(super) gap: Option<String>,
    /// State at the end of each quiet phase.
    pub(super) ends: Vec<EndState<'a>>,
    /// Whose something is: numbers from [`Case::people`], and after those from the people without faults.
    pub(super) owners: Owners,
    /// People to whom nothing went wrong, where the plan has some.
    pub(super) clean: Option<Clean<'a>>,
    /// Whether the probe reads status, and plan.
    pub(super) fields: (bool, bool),
    /// How many acknowledged events the service does not hold, by its own count, and the record that says so.
    pub(super) not_stored: Option<(u64, u64)>,
    /// Deliveries by the event id in their body, of whatever kind.
    by_event: BTreeMap<&'a EventId, Vec<&'a Delivery>>,
}

/// The clean part of a run.
#[derive(Debug)]
pub(super) struct Clean<'a> {
    pub(super) plan: &'a clean::Clean,
    pub(super) people: Vec<Person<'a>>,
    pub(super) chains: Vec<Chain<'a>>,
    /// State at its end.
    pub(super) end: EndState<'a>,
}

/// A person: one user and e-mail, with one Stripe customer or several.
#[derive(Debug)]
pub(super) struct Person<'a> {
    /// All their instances.
    pub(super) instances: Vec<&'a Instance>,
    /// Their customers, as positions in [`Case::chains`].
    pub(super) chains: Vec<usize>,
    /// Content of forged deliveries: nobody.
    pub(super) ghost: bool,
}

/// A Stripe customer: an instance and those that go on from it.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// Where it stands in [`Case::chains`].
    pub(super) at: usize,
    /// First to last.
    pub(super) links: Vec<&'a Instance>,
    /// Whose, as a position in [`Case::people`].
    pub(super) person: usize,
}

/// An owed event and what became of it.
#[derive(Debug)]
pub(super) struct Owed<'a> {
    pub(super) id: &'a EventId,
    /// Its customer, as a position in [`Case::chains`].
    pub(super) chain: usize,
    pub(super) deliveries: Vec<&'a Delivery>,
    pub(super) fate: Fate,
}

/// What became of an owed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// An attempt of one of its deliveries was acknowledged.
    Acked,
    /// All attempts of all its deliveries ended otherwise, and none is left.
    GivenUp,
    /// The same, but Stripe's API was there to be asked: whether it was, its effect shows.
    Undelivered,
    /// The sender was not done with it.
    Open,
}

/// State at the end of a quiet phase.
#[derive(Debug)]
pub(super) struct EndState<'a> {
    pub(super) phase: RunPhase,
    /// State of the doubles; absent when it was not recorded.
    pub(super) ledger: Option<Ledger<'a>>,
    /// Contacts of each person.
    pub(super) contacts: Vec<Vec<&'a Contact>>,
    /// Tickets of each person.
    pub(super) tickets: Vec<Vec<&'a Ticket>>,
}

impl<'a> Chain<'a> {
    /// What is right at the end; absent for imported traffic.
    pub(super) fn end(&self) -> Option<&'a Expectation> {
        self.links.last()?.end.as_ref()
    }

    /// `customer cus_… (purchase/3)`.
    pub(super) fn words(&self) -> String {
        let story = self.links.first().map_or("?", |instance| instance.id.as_str());
        match self.links.iter().find_map(|instance| instance.customer.as_ref()) {
            Some(customer) => format!("customer {customer} ({story})"),
            None => format!("customer of {story}"),
        }
    }
}

impl Person<'_> {
    /// `a@example.com (purchase/3)`.
    pub(super) fn words(&self) -> String {
        let story = self.instances.first().map_or("?", |instance| instance.id.as_str());
        match self.instances.iter().find_map(|instance| instance.email.as_ref()) {
            Some(email) => format!("{email} ({story})"),
            None => format!("the customer of {story}"),
        }
    }
}

impl<'a> Case<'a> {
    pub(super) fn new(plan: &'a Plan, faults: &'a [Fault], history: &'a History) -> Self {
        let seen = Lookup::new(history);
        let (people, chains) = customers(&plan.instances);
        let (controls, control_chains) = customers(plan.clean_part().instances);
        let owners = Owners::new(people.iter().chain(&controls));
        let all = people.len() + controls.len();
        let events = owed(plan, &seen, &chains);
        let gap = gap(plan, &seen, &events);
        let ends = seen.quiet_phases().into_iter().map(|phase| end_state(phase, &seen, &owners, all));
        let ends = ends.collect();
        let clean = plan.clean.as_ref().map(|of| {
            let end = end_state(RunPhase::Clean, &seen, &owners, all);
            Clean { plan: of, people: controls, chains: control_chains, end }
        });
        let mut by_event: BTreeMap<&EventId, Vec<&Delivery>> = BTreeMap::new();
        for delivery in &plan.deliveries {
            if let Some(event) = &delivery.event {
                by_event.entry(event).or_default().push(delivery);
            }
        }
        let began = || seen.phases.iter().find(|(phase, ..)| *phase == RunPhase::Faults).map(|(_, _, at_ms)| *at_ms);
        let faults_from_ms = plan.clean.as_ref().and_then(|_| began()).unwrap_or(0);
        let mut case = Self {
            plan,
            faults,
            seen,
            faults_from_ms,
            people,
            chains,
            events,
            gap,
            ends,
            owners,
            clean,
            fields: (false, false),
            not_stored: None,
            by_event,
        };
        case.not_stored = not_stored(plan, &case.seen);
        case.fields = effect::fields_read(&case);
        case
    }

    /// Contacts of a state that belong to nobody without faults.
    pub(super) fn contacts_of_the_run<'l>(&self, contacts: &'l [Contact]) -> Vec<&'l Contact> {
        let clean = |contact: &&Contact| {
            let owners = self.owners.of_contact(contact);
            !owners.is_empty() && owners.iter().all(|owner| *owner >= self.people.len())
        };
        contacts.iter().filter(|contact| !clean(contact)).collect()
    }

    /// Real people, with their positions.
    pub(super) fn real_people(&self) -> impl Iterator<Item = (usize, &Person<'a>)> {
        self.people.iter().enumerate().filter(|(_, person)| !person.ghost)
    }

    /// Deliveries that carry an event's id, of whatever kind.
    pub(super) fn deliveries_of(&self, event: &EventId) -> &[&'a Delivery] {
        self.by_event.get(event).map_or(&[], Vec::as_slice)
    }

    /// Whether no customer has a written truth: imported traffic.
    pub(super) fn nothing_is_written(&self) -> bool {
        self.chains.iter().all(|chain| chain.end().is_none())
    }

    /// Contacts that a person must have: customers who share a person share it. `None` without a written truth.
    pub(super) fn contacts_due(&self, person: &Person<'_>) -> Option<u32> {
        person.chains.iter().filter_map(|chain| self.chains[*chain].end()).map(|end| end.contacts).max()
    }

    /// Tickets by queue that a person's own steps must lead to: at least, one for each request that was acknowledged, and at
    /// most, one for each that was made.
    pub(super) fn requested(&self, person: &Person<'_>) -> BTreeMap<String, (u64, u64)> {
        let acked = |key: &String| {
            let mut visits = self.seen.visits.iter().filter(|visit| visit.what.ticket.as_ref() == Some(key));
            visits.any(|visit| visit.what.status.is_some_and(|status| (200..300).contains(&status)))
        };
        let mut requested: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut keys = BTreeSet::new();
        let mine = |id: &InstanceId| person.instances.iter().any(|instance| instance.id == *id);
        let steps = self.plan.steps.iter().filter(|step| mine(&step.instance));
        for ticket in steps.filter_map(|step| step.ticket.as_ref()).filter(|ticket| keys.insert(&ticket.key)) {
            let (least, most) = requested.entry(ticket.queue.clone()).or_default();
            *least += u64::from(acked(&ticket.key));
            *most += 1;
        }
        requested
    }

    /// Tickets by queue that a person must have: those of all their stories added up.
    pub(super) fn tickets_due(&self, person: &Person<'_>) -> BTreeMap<String, u64> {
        let mut due = BTreeMap::new();
        for expectation in person.instances.iter().filter_map(|instance| instance.end.as_ref()) {
            for (queue, count) in expectation.tickets.iter().filter(|(_, count)| **count > 0) {
                *due.entry(queue.clone()).or_default() += u64::from(*count);
            }
        }
        due
    }
}

/// Whether a delivery carries an event as Stripe sent it.
pub(super) fn is_genuine(delivery: &Delivery) -> bool {
    match delivery.kind {
        DeliveryKind::Genuine | DeliveryKind::Duplicate => true,
        DeliveryKind::Forged(_)
        | DeliveryKind::Malformed(_)
        | DeliveryKind::UnknownType
        | DeliveryKind::OddlySigned(_)
        | DeliveryKind::SecondEvent
        | DeliveryKind::SecondEndpoint
        | DeliveryKind::Foreign(_) => false,
    }
}

fn customers(instances: &[Instance]) -> (Vec<Person<'_>>, Vec<Chain<'_>>) {
    let by_id: BTreeMap<&InstanceId, &Instance> = instances.iter().map(|i| (&i.id, i)).collect();
    let mut people: Vec<Person<'_>> = Vec::new();
    let mut chains: Vec<Chain<'_>> = Vec::new();
    let mut person_at: BTreeMap<&InstanceId, usize> = BTreeMap::new();
    let mut chain_at: BTreeMap<&InstanceId, usize> = BTreeMap::new();
    let mut ordered: Vec<(usize, &Instance)> = instances.iter().map(|i| (root(&by_id, i).1, i)).collect();
    // Stable: instances that go on come after those that they go on from, else the plan's order stays.
    ordered.sort_by_key(|(depth, _)| *depth);
    for (_, instance) in ordered {
        let first = root(&by_id, instance).0;
        let who = by_id.get(&first.person).map_or(&first.person, |person| &root(&by_id, person).0.id);
        let person = *person_at.entry(who).or_insert_with(|| {
            people.push(Person { instances: Vec::new(), chains: Vec::new(), ghost: instance.ghost });
            people.len() - 1
        });
        people[person].instances.push(instance);
        if instance.ghost {
            continue;
        }
        let chain = *chain_at.entry(&first.id).or_insert_with(|| {
            chains.push(Chain { at: chains.len(), links: Vec::new(), person });
            people[person].chains.push(chains.len() - 1);
            chains.len() - 1
        });
        chains[chain].links.push(instance);
    }
    (people, chains)
}

/// The instance that a chain begins with, and how many steps back it lies. A loop, which no compiled plan has, ends.
fn root<'a>(by_id: &BTreeMap<&InstanceId, &'a Instance>, instance: &'a Instance) -> (&'a Instance, usize) {
    let (mut at, mut depth) = (instance, 0);
    while let Some(before) = at.continues.as_ref().and_then(|id| by_id.get(id)) {
        (at, depth) = (before, depth + 1);
        if depth > by_id.len() {
            break;
        }
    }
    (at, depth)
}

fn owed<'a>(plan: &'a Plan, seen: &Lookup<'_>, chains: &[Chain<'_>]) -> Vec<Owed<'a>> {
    let chain_of: BTreeMap<&InstanceId, usize> = chains
        .iter()
        .enumerate()
        .flat_map(|(index, chain)| chain.links.iter().map(move |instance| (&instance.id, index)))
        .collect();
    let mut events: Vec<Owed<'a>> = Vec::new();
    let mut at: BTreeMap<&EventId, usize> = BTreeMap::new();
    for delivery in plan.deliveries.iter().filter(|delivery| delivery.owed && is_genuine(delivery)) {
        let (Some(id), Some(chain)) = (&delivery.event, chain_of.get(&delivery.instance)) else { continue };
        let index = *at.entry(id).or_insert_with(|| {
            events.push(Owed { id, chain: *chain, deliveries: Vec::new(), fate: Fate::Open });
            events.len() - 1
        });
        events[index].deliveries.push(delivery);
    }
    for event in &mut events {
        event.fate = fate(plan, seen, &event.deliveries);
    }
    events
}

fn not_stored(plan: &Plan, seen: &Lookup<'_>) -> Option<(u64, u64)> {
    let queue = seen.queues.iter().rev().find(|queue| queue.what.last).filter(|_| seen.able("queue"))?;
    let all = plan.deliveries.iter().chain(plan.clean_part().deliveries);
    let genuine = all.filter(|delivery| is_genuine(delivery));
    let held: BTreeSet<&EventId> = genuine.filter(|d| acked(seen, d)).filter_map(|d| d.event.as_ref()).collect();
    Some(((held.len() as u64).saturating_sub(queue.what.events), queue.n))
}

/// The replay afterwards is hookdrill's doing, not Stripe's: it cannot make good an event that was lost before it.
fn fate(plan: &Plan, seen: &Lookup<'_>, deliveries: &[&Delivery]) -> Fate {
    let first: Vec<_> = deliveries.iter().filter(|delivery| delivery.phase == Phase::Faults).collect();
    let counted = if first.is_empty() { deliveries.iter().collect() } else { first };
    if counted.iter().any(|delivery| acked(seen, delivery)) {
        return Fate::Acked;
    }
    let given_up = |delivery: &Delivery| {
        let sent = seen.sent(&delivery.id);
        sent.len() > plan.retry_waits_ms.len() && sent.iter().all(|s| s.attempt.what.dropped || s.reply.is_some())
    };
    match counted.iter().all(|delivery| given_up(delivery)) {
        false => Fate::Open,
        true if plan.stripe.is_some() => Fate::Undelivered,
        true => Fate::GivenUp,
    }
}

/// Whether any attempt of a delivery was acknowledged.
pub(super) fn acked(seen: &Lookup<'_>, delivery: &Delivery) -> bool {
    seen.sent(&delivery.id).iter().any(|sent| sent.reply.is_some_and(|reply| reply.what.outcome == Outcome::Acked))
}

/// Lateness of the sender (99th percentile) from which another schedule was delivered than the one that was planned.
const NOT_IN_TIME_US: u64 = 1_000_000;

/// What the run lacks, the gravest first.
fn gap(plan: &Plan, seen: &Lookup<'_>, events: &[Owed<'_>]) -> Option<String> {
    let Some(end) = seen.end else {
        let cut = if seen.truncated { ", and its last line is cut off" } else { "" };
        return Some(format!("the run was cut short: its history has no end record{cut}"));
    };
    if let Some(why) = end.incomplete {
        return Some(format!("the run is incomplete: {why}{}", silent(plan, seen)));
    }
    if end.lateness_p99_us > NOT_IN_TIME_US {
        let late = words::micros(end.lateness_p99_us);
        return Some(format!(
            "the plan was not delivered in time: sends left up to {late} after their time (99th percentile; a second is allowed)"
        ));
    }
    let unsent: Vec<_> = plan.deliveries.iter().filter(|delivery| seen.sent(&delivery.id).is_empty()).collect();
    if let Some(first) = unsent.first() {
        let of = plan.deliveries.len();
        return Some(format!("{} of {of} planned deliveries were never sent (the first: {})", unsent.len(), first.id));
    }
    let unanswered = plan.deliveries.iter().flat_map(|delivery| seen.sent(&delivery.id));
    let unanswered = unanswered.filter(|sent| !sent.attempt.what.dropped && sent.reply.is_none()).count();
    if unanswered > 0 {
        return Some(format!("the run ended before {} had an end", words::count(unanswered, "attempt")));
    }
    let open = events.iter().filter(|event| event.fate == Fate::Open).count();
    if open > 0 {
        return Some(format!("the run ended while {} still had retries left", words::count(open, "event")));
    }
    let pending = seen.queues.iter().rev().find(|queue| queue.what.last).map_or(0, |queue| queue.what.pending);
    if pending > 0 {
        let jobs = words::plural(pending, "job");
        return Some(format!("the quiet phase ended with {pending} {jobs} still waiting in the service's queue"));
    }
    if seen.quiet_phases().is_empty() { Some("the run never reached its quiet phase".to_owned()) } else { None }
}

/// How often the target did not answer, when it did not: mostly why a run could not be completed.
fn silent(plan: &Plan, seen: &Lookup<'_>) -> String {
    let replies = plan.deliveries.iter().flat_map(|delivery| seen.sent(&delivery.id)).filter_map(|sent| sent.reply);
    let (mut silent, mut all) = (0, 0);
    for reply in replies {
        all += 1;
        silent += usize::from(reply.what.outcome == Outcome::Indefinite);
    }
    match silent {
        0 => String::new(),
        n => format!("; {n} of {} ended without an answer", words::count(all, "attempt")),
    }
}

fn end_state<'a>(phase: RunPhase, seen: &Lookup<'a>, owners: &Owners, people: usize) -> EndState<'a> {
    let ledger = seen.ledger(phase);
    let mut state = EndState { phase, ledger, contacts: vec![Vec::new(); people], tickets: vec![Vec::new(); people] };
    let Some(ledger) = ledger else { return state };
    for contact in ledger.contacts {
        let of: BTreeSet<usize> = owners.of_contact(contact);
        of.into_iter().for_each(|person| state.contacts[person].push(contact));
    }
    for ticket in ledger.tickets {
        if let Some(person) = owners.of_ticket(ticket) {
            state.tickets[person].push(ticket);
        }
    }
    state
}

impl EndState<'_> {
    /// `at the end`, or, when the run replayed everything, which end.
    pub(super) fn words(&self) -> &'static str {
        match self.phase {
            RunPhase::QuietAfterReplay => "after the replay",
            RunPhase::Clean => "after the clean delivery",
            RunPhase::Faults | RunPhase::Quiet | RunPhase::Replay => "after the quiet phase",
        }
    }
}
