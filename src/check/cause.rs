//! The cause chain of one customer: delivery, reply, downstream call, state, in order and in words, and the faults that touched it.
//!
//! A customer has many steps that say nothing. Each step has a weight, the heaviest are told, and a line says how many are not.
//! Must not know: which criterion failed, how a step is worded (`steps`).

use super::{
    case::{Case, Person},
    declared,
    steps::{self, Step, Weight},
};
use crate::{
    history::{
        lookup::Sent,
        record::{Call, Effect, Outcome},
    },
    id::{EventId, InstanceId},
    plan::model::{CLOCK, Delivery, STORE_BUSY},
    scenario::fault::FaultKind,
    stripe::recording::Expectation,
};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of a chain, at most: what fits on a screen beside the verdict.
const MOST_LINES: usize = 12;

/// Faults that are told in words, at most.
const MOST_FAULTS: usize = 3;

/// What happened for one person, step by step, each with its record number; then the faults that touched it, and what was owed.
pub(super) fn chain(case: &Case<'_>, person: usize, evidence: &BTreeSet<u64>) -> Vec<String> {
    let who = &case.people[person];
    let mut steps = deliveries(case, who);
    steps.extend(calls(case, person));
    let busy = case.seen.faults.iter().filter(|note| note.what == STORE_BUSY);
    steps.extend(busy.map(|note| steps::busy(note.n, note.at_ms, note.on)));
    let clock = case.seen.faults.iter().filter(|note| note.what.starts_with(CLOCK));
    steps.extend(clock.map(|note| steps::clock(note.n, note.at_ms, note.what, note.on)));
    steps.extend(case.seen.processes.iter().filter_map(steps::process));
    for instance in &who.instances {
        let goes_on = who.instances.iter().any(|other| other.continues.as_ref() == Some(&instance.id));
        steps.extend(steps::probes(case.seen.probes(&instance.id), !goes_on));
    }
    for step in &mut steps {
        if step.records.iter().any(|n| evidence.contains(n)) {
            step.weight = step.weight.max(Weight::Evidence);
        }
    }
    steps.sort_by_key(|step| step.records.first().copied());
    let steps = steps::folded(steps);
    let faults = touching(case, &steps);
    let owed = owed(case, who);
    let room = MOST_LINES - faults.len() - owed.len();
    let mut lines = told(steps, room);
    lines.extend(faults);
    lines.extend(owed);
    lines
}

/// Every delivery to this person, and whatever else carried an id of their events.
fn deliveries(case: &Case<'_>, who: &Person<'_>) -> Vec<Step> {
    let mine: BTreeSet<&InstanceId> = who.instances.iter().map(|instance| &instance.id).collect();
    let events: BTreeSet<_> =
        case.plan.deliveries.iter().filter(|d| mine.contains(&d.instance)).filter_map(|d| d.event.as_ref()).collect();
    let theirs = |delivery: &&Delivery| {
        mine.contains(&delivery.instance) || delivery.event.as_ref().is_some_and(|event| events.contains(event))
    };
    let told = Story::new(case, who);
    let deliveries = case.plan.deliveries.iter().filter(theirs);
    let steps = |delivery| steps::delivery(delivery, case.seen.sent(&delivery.id), told.weight(case, delivery));
    deliveries.flat_map(steps).collect()
}

/// The events of a person in the order in which they happened.
struct Story<'p> {
    /// Where each stands.
    place: BTreeMap<&'p EventId, usize>,
    /// Those after which something else is right than before, numbered.
    turns: BTreeMap<&'p EventId, usize>,
    /// Kind of object that the last of those is about: `customer.subscription`.
    about: Option<&'p str>,
    /// Of each event that was acknowledged, its place and the first attempt that was.
    heard: Vec<(usize, u64)>,
}

impl<'p> Story<'p> {
    fn new(case: &Case<'p>, who: &Person<'p>) -> Self {
        let events: Vec<&EventId> = who.instances.iter().flat_map(|i| &i.turns).map(|turn| &turn.event).collect();
        let turns = turns(who);
        let last = turns.iter().max_by_key(|(_, turn)| **turn).map(|(event, _)| *event);
        let about = last.and_then(|event| Some(object(&case.deliveries_of(event).first()?.event_type)));
        let heard = |(place, event): (usize, &&EventId)| {
            let sent = case.deliveries_of(event).iter().flat_map(|delivery| case.seen.sent(&delivery.id));
            let acked = |sent: &&Sent<'_>| sent.reply.is_some_and(|reply| reply.what.outcome == Outcome::Acked);
            Some((place, sent.filter(acked).map(|sent| sent.attempt.n).min()?))
        };
        let heard = events.iter().enumerate().filter_map(heard).collect();
        Self { place: events.into_iter().enumerate().map(|(at, event)| (event, at)).collect(), turns, about, heard }
    }

    fn weight(&self, case: &Case<'_>, delivery: &Delivery) -> Weight {
        let Some(event) = &delivery.event else { return Weight::Usual };
        let turn = self.turns.get(event);
        if turn.is_some() && turn == self.turns.values().max() {
            return Weight::Telling;
        }
        // One that comes when a later one has been heard may undo what that one did.
        let first = case.seen.sent(&delivery.id).first().map(|sent| sent.attempt.n);
        let after = |(place, heard): &(usize, u64)| {
            self.place.get(event).is_some_and(|at| at < place) && first.is_some_and(|first| heard < &first)
        };
        let overtaken = self.heard.iter().any(after);
        match (overtaken, self.about == Some(object(&delivery.event_type))) {
            (true, true) => Weight::Telling,
            (true, false) => Weight::Turn,
            (false, _) => turn.map_or(Weight::Usual, |_| Weight::Turn),
        }
    }
}

/// `customer.subscription` of `customer.subscription.updated`.
fn object(event_type: &str) -> &str {
    event_type.rsplit_once('.').map_or(event_type, |(object, _)| object)
}

/// Events after which something else is right than before, numbered.
fn turns<'p>(who: &Person<'p>) -> BTreeMap<&'p EventId, usize> {
    let mut turns = BTreeMap::new();
    let mut before: Option<&Expectation> = None;
    for turn in who.instances.iter().flat_map(|instance| &instance.turns) {
        if before.is_some_and(|before| *before != turn.right) {
            turns.insert(&turn.event, turns.len());
        }
        before = Some(&turn.right);
    }
    turns
}

/// Calls of the service about this person: by what they name, else by the contact or ticket that they made or changed.
fn calls(case: &Case<'_>, person: usize) -> Vec<Step> {
    let (contacts, tickets) = belongings(case, person);
    let theirs = |call: &Call, effect: &Effect| match effect {
        Effect::ContactCreated { contact, .. } | Effect::ContactUpdated { contact, .. } => contacts.contains(contact),
        Effect::TicketCreated { ticket, .. } | Effect::TicketUpdated { ticket } => tickets.contains(ticket),
        Effect::TaskCreated { contact, .. } => contact.as_ref().is_some_and(|contact| contacts.contains(contact)),
        Effect::Declared { .. } => declared::people(case, effect, call).contains(&person),
        Effect::SessionOpened { .. } | Effect::SubscriptionCanceled { .. } | Effect::AlertRaised { .. } => false,
    };
    let mine = |id: &InstanceId| case.people[person].instances.iter().any(|instance| instance.id == *id);
    let calls = case.seen.calls.iter();
    let calls = calls.filter(|call| {
        call.what.about.iter().any(mine) || call.what.effects.iter().any(|effect| theirs(call.what, effect))
    });
    steps::calls(case.plan, case.faults_from_ms, calls)
}

/// Contacts and tickets that ever belonged to a person: by the final states, and by the e-mail a contact was made with.
fn belongings<'c>(case: &'c Case<'_>, person: usize) -> (BTreeSet<&'c String>, BTreeSet<&'c String>) {
    let mut contacts: BTreeSet<&String> = BTreeSet::new();
    let mut tickets: BTreeSet<&String> = BTreeSet::new();
    for end in &case.ends {
        contacts.extend(end.contacts[person].iter().map(|contact| &contact.id));
        tickets.extend(end.tickets[person].iter().map(|ticket| &ticket.id));
    }
    for effect in case.seen.calls.iter().flat_map(|call| &call.what.effects) {
        if let Effect::ContactCreated { contact, email: Some(email) } = effect
            && case.owners.of_email(email) == Some(person)
        {
            contacts.insert(contact);
        }
    }
    (contacts, tickets)
}

/// The faults that touched these steps, in words, with what stays owed.
fn touching(case: &Case<'_>, steps: &[Step]) -> Vec<String> {
    let mut touching: BTreeMap<usize, Weight> = BTreeMap::new();
    let mut touch = |fault: usize, weight: Weight| {
        let known = touching.entry(fault).or_insert(weight);
        *known = weight.max(*known);
    };
    for step in steps {
        step.faults.iter().for_each(|fault| touch(*fault, step.weight));
        let by_kind = case.faults.iter().enumerate().filter(|(_, fault)| step.comes_from(&fault.kind));
        by_kind.for_each(|(n, _)| touch(n, step.weight));
    }
    let mut heaviest: Vec<(usize, Weight)> = touching.into_iter().collect();
    heaviest.sort_by_key(|(n, weight)| (std::cmp::Reverse(*weight), *n));
    let more = heaviest.len().saturating_sub(MOST_FAULTS);
    heaviest.truncate(MOST_FAULTS);
    heaviest.sort_by_key(|(n, _)| *n);
    let what = |n: usize| case.plan.faults.get(n).map_or("?", String::as_str);
    let mut lines: Vec<String> = heaviest.iter().map(|(n, _)| format!("fault [{n}]: {}", what(*n))).collect();
    if let (Some(last), true) = (lines.last_mut(), more > 0) {
        last.push_str(&format!(" (and {more} more)"));
    }
    lines
}

/// What was right for the person at the end.
fn owed(case: &Case<'_>, who: &Person<'_>) -> Vec<String> {
    if who.ghost {
        return vec!["owed: nothing, and no trace, for this customer does not exist".to_owned()];
    }
    let end = who.chains.iter().rev().find_map(|chain| case.chains[*chain].end());
    end.map(|end| format!("owed: {}", steps::expectation(end))).into_iter().collect()
}

/// The heaviest steps, of equal ones the latest, in the order of the run; and how many are left out.
fn told(steps: Vec<Step>, room: usize) -> Vec<String> {
    if steps.len() <= room {
        return steps.into_iter().map(|step| step.text).collect();
    }
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(steps[*at].weight), std::cmp::Reverse(*at)));
    let kept: BTreeSet<usize> = order.into_iter().take(room - 1).collect();
    let left_out = steps.len() - kept.len();
    let first_gap = (0..steps.len()).find(|at| !kept.contains(at));
    let mut lines = Vec::new();
    for (at, step) in steps.into_iter().enumerate() {
        if Some(at) == first_gap {
            lines.push(format!("… {left_out} more steps of this customer are left out, here and below …"));
        }
        if kept.contains(&at) {
            lines.push(step.text);
        }
    }
    lines
}

impl Step {
    /// Whether a fault of this kind, which touches no delivery, is behind it.
    fn comes_from(&self, kind: &FaultKind) -> bool {
        match kind {
            FaultKind::Outage { of, .. } | FaultKind::Slow { of, .. } => self.faulted == Some(*of) && !self.single,
            FaultKind::Downstream(fault) => self.faulted == Some(fault.calls.of) && self.single,
            FaultKind::Kill { .. }
            | FaultKind::Stop { .. }
            | FaultKind::Down { .. }
            | FaultKind::RandomKills { .. }
            | FaultKind::Crash { .. } => self.killed,
            FaultKind::KillAtCall(kill) => self.killed || self.faulted == Some(kill.at.of),
            FaultKind::StoreBusy { .. } => self.busy,
            FaultKind::Clock { .. } => self.clock,
            FaultKind::Duplicate { .. }
            | FaultKind::Body { .. }
            | FaultKind::Signed { .. }
            | FaultKind::Burst { .. }
            | FaultKind::SecondEvent { .. }
            | FaultKind::SecondEndpoint { .. }
            | FaultKind::Foreign { .. }
            | FaultKind::Reorder { .. }
            | FaultKind::Delay { .. }
            | FaultKind::Drop { .. }
            | FaultKind::Forged { .. }
            | FaultKind::Malformed { .. }
            | FaultKind::UnknownType { .. }
            | FaultKind::SecretRoll { .. }
            | FaultKind::Transport(_) => false,
        }
    }
}
