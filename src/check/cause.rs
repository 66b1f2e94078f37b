//! The cause chain of one customer: delivery, reply, downstream call, probe, in order and in words.
//!
//! Must not know: which criterion failed.

use super::{case::Case, words};
use crate::{
    history::{
        lookup::{Seen, Sent},
        record::{Call, Effect, Outcome, Probe, ProcessEvent},
    },
    plan::model::{Delivery, DeliveryKind},
    scenario::fault::Double,
};
use std::collections::BTreeSet;

/// Lines of a chain, at most: what fits on a screen beside the verdict.
const MOST_LINES: usize = 12;

/// Of a chain that is too long, this many lines are kept at its beginning; the rest at its end.
const KEPT_AT_START: usize = 5;

/// What happened for one person, step by step, each with its record number.
pub(super) fn chain(case: &Case<'_>, person: usize) -> Vec<String> {
    let mut steps: Vec<(u64, String)> = Vec::new();
    let instances: BTreeSet<_> = case.people[person].instances.iter().map(|instance| &instance.id).collect();
    for delivery in case.plan.deliveries.iter().filter(|delivery| instances.contains(&delivery.instance)) {
        steps.extend(case.seen.sent(&delivery.id).iter().map(|sent| (sent.attempt.n, sent_words(delivery, sent))));
    }
    let (contacts, tickets) = belongings(case, person);
    for call in &case.seen.calls {
        let theirs = |effect: &Effect| match effect {
            Effect::ContactCreated { contact, .. } | Effect::ContactUpdated { contact, .. } => {
                contacts.contains(contact)
            }
            Effect::TicketCreated { ticket, .. } | Effect::TicketUpdated { ticket } => tickets.contains(ticket),
            Effect::TaskCreated { contact, .. } => contact.as_ref().is_some_and(|contact| contacts.contains(contact)),
            Effect::SessionOpened { .. } | Effect::SubscriptionCanceled { .. } | Effect::AlertRaised { .. } => false,
        };
        if call.what.effects.iter().any(theirs) {
            steps.push((call.n, call_words(call)));
        }
    }
    steps.extend(failing_calls(case));
    for process in &case.seen.processes {
        let what = match process.event {
            ProcessEvent::Died => "the service crashed",
            ProcessEvent::Killed => "the service was killed",
            ProcessEvent::Stopping => "the service was told to stop",
            ProcessEvent::Started | ProcessEvent::Ready | ProcessEvent::Stopped => continue,
        };
        steps.push((process.n, format!("#{} at {}: {what}", process.n, words::span(process.at_ms))));
    }
    for probe in instances.iter().flat_map(|id| turning_points(case.seen.probes(id))) {
        steps.push((probe.n, probe_words(probe)));
    }
    steps.sort_by_key(|(n, _)| *n);
    shortened(steps.into_iter().map(|(_, text)| text).collect())
}

fn shortened(lines: Vec<String>) -> Vec<String> {
    if lines.len() <= MOST_LINES {
        return lines;
    }
    let left_out = lines.len() - (MOST_LINES - 1);
    let mut short = lines[..KEPT_AT_START].to_vec();
    short.push(format!("… {left_out} more steps …"));
    short.extend_from_slice(&lines[KEPT_AT_START + left_out..]);
    short
}

fn sent_words(delivery: &Delivery, sent: &Sent<'_>) -> String {
    let attempt = sent.attempt.what;
    let kind = match delivery.kind {
        DeliveryKind::Genuine => "",
        DeliveryKind::Duplicate => "duplicate ",
        DeliveryKind::Forged(_) => "forged ",
        DeliveryKind::Malformed(_) => "malformed ",
        DeliveryKind::UnknownType => "unknown ",
        DeliveryKind::OddlySigned(_) => "oddly signed ",
        DeliveryKind::SecondEvent | DeliveryKind::SecondEndpoint => "second ",
        DeliveryKind::Foreign(_) => "foreign ",
    };
    let again = if attempt.attempt > 1 { format!(", attempt {}", attempt.attempt) } else { String::new() };
    let left = format!("{kind}{} ({}{again})", delivery.event_type, attempt.delivery);
    let at = words::span(sent.attempt.at_ms);
    let n = sent.attempt.n;
    if attempt.dropped {
        return format!("#{n} at {at}: {left} was lost on the way, as planned");
    }
    let Some(reply) = sent.reply else { return format!("#{n} at {at}: {left} was sent, no end recorded") };
    let why = reply.what.reason.as_deref().unwrap_or("no answer");
    let end = match (reply.what.outcome, reply.what.status) {
        (Outcome::Acked, Some(status)) => format!("acknowledged with {status}"),
        (Outcome::Acked, None) => "acknowledged".to_owned(),
        (Outcome::Refused, Some(status)) => format!("refused with {status}"),
        (Outcome::Refused, None) => format!("refused: {why}"),
        (Outcome::Indefinite, _) => format!("indefinite: {why}"),
    };
    format!("#{n}, #{} at {at}: {left} {end} after {}", reply.n, words::micros(reply.what.latency_us))
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

fn double_words(double: Double) -> &'static str {
    match double {
        Double::Crm => "the CRM",
        Double::Support => "the support desk",
        Double::Stripe => "Stripe's API",
        Double::Alerts => "the receiver of alerts",
    }
}

fn call_words(call: &Seen<'_, Call>) -> String {
    let effects = call.what.effects.iter().map(|effect| match effect {
        Effect::ContactCreated { contact, .. } => format!("made contact {contact}"),
        Effect::ContactUpdated { contact, changed } => {
            let names: Vec<&str> = changed.keys().map(String::as_str).collect();
            format!("changed {} of contact {contact}", names.join(", "))
        }
        Effect::TicketCreated { ticket, queue, .. } => {
            format!("opened ticket {ticket} in {}", queue.as_ref().map_or("no queue", String::as_str))
        }
        Effect::TicketUpdated { ticket } => format!("changed ticket {ticket}"),
        Effect::TaskCreated { task, .. } => format!("made task {task}"),
        Effect::SessionOpened { session } => format!("opened Checkout session {session}"),
        Effect::SubscriptionCanceled { subscription } => format!("cancelled subscription {subscription}"),
        Effect::AlertRaised { alert, .. } => format!("raised the alert {alert}"),
    });
    let effects = effects.collect::<Vec<_>>().join(", ");
    let (n, at) = (call.n, words::span(call.at_ms));
    format!("#{n} at {at}: the service called {} ({}): {effects}", double_words(call.what.double), call.what.operation)
}

/// Calls that an outage answered, one line for each double: a record does not say whose they were.
fn failing_calls(case: &Case<'_>) -> Vec<(u64, String)> {
    let lines = [Double::Crm, Double::Support, Double::Stripe, Double::Alerts].into_iter().filter_map(|double| {
        let mut calls =
            case.seen.calls.iter().filter(|c| c.what.double == double && c.what.faulted && c.what.status >= 400);
        let first = calls.next()?;
        let count = words::count(calls.count() + 1, "call");
        let (at, status) = (words::span(first.at_ms), first.what.status);
        let of = double_words(double);
        Some((
            first.n,
            format!("#{} at {at}: {of} began to fail, as planned: {count} of any customer answered {status}", first.n),
        ))
    });
    lines.collect()
}

/// The first probe, those at which the reading changes, and the final ones.
fn turning_points<'s, 'h>(probes: &'s [Seen<'h, Probe>]) -> impl Iterator<Item = &'s Seen<'h, Probe>> {
    let state = |probe: &Seen<'h, Probe>| (probe.what.known, probe.what.access);
    let turns = move |(index, probe): &(usize, &Seen<'h, Probe>)| {
        probe.what.last || index.checked_sub(1).is_none_or(|before| state(&probes[before]) != state(probe))
    };
    probes.iter().enumerate().filter(turns).map(|(_, probe)| probe)
}

fn probe_words(probe: &Seen<'_, Probe>) -> String {
    let what = probe.what;
    let reading = match (&what.error, what.known) {
        (Some(error), _) => format!("failed: {error}"),
        (None, Some(false)) => "the app does not know the customer".to_owned(),
        (None, Some(true) | None) => {
            let access = match what.access {
                Some(true) => "access open",
                Some(false) => "access closed",
                None => "access not read",
            };
            let status = what.status.as_ref().map_or(String::new(), |status| format!(", status {status}"));
            let plan = what.plan.as_ref().map_or(String::new(), |plan| format!(", plan {plan}"));
            format!("{access}{status}{plan}")
        }
    };
    let when = if what.last { "final probe" } else { "probe" };
    format!("#{} at {}: {when} of {}: {reading}", probe.n, words::span(probe.at_ms), what.instance)
}
