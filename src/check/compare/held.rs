//! What is held of one person at an end: what the app answers of each of their customers, what the doubles hold, and how often
//! each thing was done that shows in neither.
//!
//! Must not know: what is compared with what.

use super::{
    super::case::{Case, Chain, EndState, Person},
    names::Names,
};
use crate::{
    history::{
        lookup::Seen,
        record::{Call, Contact, Effect, Probe, RunPhase, Ticket},
    },
    id::InstanceId,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// All that is held of one person.
#[derive(Clone, Debug, Default)]
pub(super) struct Held<'a> {
    /// Of each of their customers: the reading, or why there is none.
    pub(super) states: Vec<Result<Seen<'a, Probe>, String>>,
    /// Contacts and tickets; absent when the state of the doubles was not recorded.
    pub(super) lists: Option<Lists>,
    /// Every other thing that was done, by its name.
    pub(super) effects: BTreeMap<String, Done>,
}

/// What was done under one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    /// The calls that did it.
    pub(super) calls: Vec<u64>,
    /// What is told of each; nothing but null for most.
    pub(super) told: Vec<Value>,
}

/// What the doubles hold.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// Record of the state.
    pub(super) n: u64,
    /// Contacts.
    pub(super) contacts: Value,
    /// Tickets.
    pub(super) tickets: Value,
    /// Ids of those contacts and tickets.
    pub(super) ids: Vec<String>,
}

/// What is held of a person whose number among the owners is `owner`.
pub(super) fn held<'a>(
    case: &Case<'a>,
    (person, owner): (&Person<'a>, usize),
    chains: &[Chain<'a>],
    end: &EndState<'a>,
    names: &Names,
) -> Held<'a> {
    let chains = person.chains.iter().filter_map(|at| chains.get(*at));
    let states = chains.map(|chain| reading(case, chain, end.phase)).collect();
    let lists = end.ledger.map(|ledger| {
        let (contacts, tickets) = (&end.contacts[owner], &end.tickets[owner]);
        let ids = contacts.iter().map(|c| c.id.clone()).chain(tickets.iter().map(|t| t.id.clone()));
        Lists {
            n: ledger.n,
            contacts: contacts.iter().map(|contact| names.value(&contact_value(contact))).collect(),
            tickets: tickets.iter().map(|ticket| names.value(&ticket_value(ticket))).collect(),
            ids: ids.collect(),
        }
    });
    let until = end.ledger.map_or(u64::MAX, |ledger| ledger.n);
    let calls = if end.phase == RunPhase::Clean { &case.seen.clean_calls } else { &case.seen.calls };
    let mut effects: BTreeMap<String, Done> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.n < until) {
        for effect in &call.what.effects {
            let Some((label, told)) = label(effect, names) else { continue };
            if is_about(case, effect, call.what, (person, owner)) {
                let done = effects.entry(label).or_default();
                done.calls.push(call.n);
                done.told.push(told);
            }
        }
    }
    Held { states, lists, effects }
}

/// The last reading of a customer's state.
fn reading<'a>(case: &Case<'a>, chain: &Chain<'_>, phase: RunPhase) -> Result<Seen<'a, Probe>, String> {
    let mut probes = chain.links.iter().rev().filter_map(|link| case.seen.last_probe(&link.id, phase));
    let Some(probe) = probes.next() else { return Err(format!("{} was not probed", chain.words())) };
    match (&probe.what.error, probe.what.known) {
        (Some(error), _) => Err(format!("the probe of {} failed: {error}", chain.words())),
        (None, None) => Err(format!("the probe of {} did not say whether the app knows them", chain.words())),
        (None, Some(_)) => Ok(probe),
    }
}

/// What a reading says: the app's whole answer, or, where that was not kept of everybody, what the probe reads in it.
pub(super) fn answer(probe: &Probe, whole: bool) -> Value {
    match (probe.known, &probe.answer) {
        (Some(false), _) => Value::Null,
        (_, Some(answer)) if whole => answer.as_ref().clone(),
        _ => {
            let mut fields = Map::new();
            fields.insert("access".to_owned(), probe.access.into());
            fields.insert("status".to_owned(), probe.status.clone().into());
            fields.insert("plan".to_owned(), probe.plan.clone().into());
            fields.extend(probe.values.iter().map(|(name, value)| (name.clone(), Value::from(*value))));
            Value::Object(fields)
        }
    }
}

fn contact_value(contact: &Contact) -> Value {
    json!(contact.properties)
}

fn ticket_value(ticket: &Ticket) -> Value {
    json!({
        "subject": ticket.subject,
        "queue": ticket.queue,
        "requester": ticket.requester,
        "status": ticket.status,
        "key": ticket.external_id,
        "tags": ticket.tags,
    })
}

/// Whether an effect is this person's: by what it says itself, else by whom its call names.
fn is_about(case: &Case<'_>, effect: &Effect, call: &Call, (person, owner): (&Person<'_>, usize)) -> bool {
    if let Effect::Declared { key, fields, .. } = effect {
        let said: Vec<usize> = fields.values().chain([key]).flat_map(|text| case.owners.in_text(text)).collect();
        if !said.is_empty() {
            return said.contains(&owner);
        }
    }
    call.about.iter().any(|id: &InstanceId| person.instances.iter().any(|instance| instance.id == *id))
}

/// What is counted by its calls alone: contacts and tickets lie with the doubles, and alerts tell of the service.
fn label(effect: &Effect, names: &Names) -> Option<(String, Value)> {
    match effect {
        Effect::TaskCreated { subject, .. } => Some((format!("task `{}`", names.text(subject)), Value::Null)),
        Effect::SessionOpened { .. } => Some(("Checkout session".to_owned(), Value::Null)),
        Effect::SubscriptionCanceled { .. } => Some(("cancellation".to_owned(), Value::Null)),
        Effect::Declared { double, effect, key, fields } => {
            let told = names.value(&json!({ "key": key, "fields": fields }));
            Some((format!("{double}.{effect}"), told))
        }
        Effect::ContactCreated { .. }
        | Effect::ContactUpdated { .. }
        | Effect::TicketCreated { .. }
        | Effect::TicketUpdated { .. }
        | Effect::AlertRaised { .. } => None,
    }
}
