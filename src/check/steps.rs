//! The steps of a cause chain in words: attempts and their replies, calls, probes, what became of the process.
//!
//! Must not know: whose they are, which of them are told.

use super::words;
use crate::{
    history::{
        lookup::{ProcessSeen, Seen, Sent},
        record::{Call, Effect, Outcome, Probe, ProcessEvent},
    },
    plan::model::{Delivery, DeliveryKind, Plan, Reaction},
    scenario::fault::Double,
    stripe::recording::{Access, Expectation},
};
use std::collections::BTreeMap;

/// How much a step says, the most last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Went as it should and changed nothing.
    Usual,
    /// A fault touched it, yet it went as it should.
    Touched,
    /// After it something else was right.
    Turn,
    /// Had an effect, or did not go as it should.
    Effect,
    /// Made something, or ended the service.
    Cause,
    /// Decides the end, or should not be there.
    Telling,
    /// The verdict names it as evidence.
    Evidence,
}

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    /// Records that show it, in order.
    pub(super) records: Vec<u64>,
    pub(super) text: String,
    pub(super) weight: Weight,
    /// Faults that touched it, where the plan says which.
    pub(super) faults: Vec<usize>,
    /// A fault of this double was on it.
    pub(super) faulted: Option<Double>,
    /// That fault is about single calls.
    pub(super) single: bool,
    /// A kill of the service.
    pub(super) killed: bool,
    /// The store was busy.
    pub(super) busy: bool,
    /// The service's clock was wrong.
    pub(super) clock: bool,
    /// How it went, where several deliveries that went so are one step.
    alike: Option<String>,
}

impl Step {
    fn new(records: Vec<u64>, at_ms: u64, text: &str, weight: Weight) -> Self {
        let numbers: Vec<String> = match records.as_slice() {
            [first, .., last] if records.len() > 2 => vec![format!("#{first}…#{last}")],
            few => few.iter().map(|n| format!("#{n}")).collect(),
        };
        let text = format!("{} at {}: {text}", numbers.join(", "), words::span(at_ms));
        let (faults, faulted, single, killed) = (Vec::new(), None, false, false);
        Self { records, text, weight, faults, faulted, single, killed, busy: false, clock: false, alike: None }
    }
}

/// The attempts of a delivery; those in a row that ended alike are one step.
pub(super) fn delivery(delivery: &Delivery, sent: &[Sent<'_>], weight: Weight) -> Vec<Step> {
    let ends: Vec<String> = sent.iter().map(end_words).collect();
    let mut steps = Vec::new();
    let mut from = 0;
    while from < sent.len() {
        let same = ends[from..].iter().take_while(|end| **end == ends[from]).count();
        steps.push(attempts(delivery, &sent[from..from + same], &ends[from], weight));
        from += same;
    }
    steps
}

fn attempts(delivery: &Delivery, sent: &[Sent<'_>], end: &str, weight: Weight) -> Step {
    let first = sent[0].attempt.what;
    let times = match sent.len() {
        1 if first.attempt == 1 => String::new(),
        1 => format!(", attempt {}", first.attempt),
        n => format!(", attempts {} to {}", first.attempt, first.attempt as usize + n - 1),
    };
    let after = match (sent, sent[0].reply) {
        ([_], Some(reply)) => format!(" after {}", words::micros(reply.what.latency_us)),
        _ => String::new(),
    };
    let faults: String = delivery.faults.iter().map(|fault| format!(" [{fault}]")).collect();
    let way = first.fault.as_ref().map_or(String::new(), |_| {
        let how = delivery.on_the_way(first.attempt).map(|how| format!(", {}", how.what()));
        how.unwrap_or_default()
    });
    let (kind, event) = (kind_words(delivery.kind), &delivery.event_type);
    let text = format!("{kind}{event} ({}{times}){way} {end}{after}{faults}", delivery.id);
    let records = sent.iter().flat_map(|sent| [Some(sent.attempt.n), sent.reply.map(|reply| reply.n)]);
    let acked = sent.iter().any(|sent| sent.reply.is_some_and(|reply| reply.what.outcome == Outcome::Acked));
    let weight = match (delivery.expect, acked) {
        (Reaction::Refuse, true) => Weight::Telling,
        (Reaction::Refuse, false) | (Reaction::Either, _) => weight.max(Weight::Touched),
        (Reaction::Accept, false) if weight > Weight::Usual => Weight::Telling,
        (Reaction::Accept, false) => Weight::Effect,
        (Reaction::Accept, true) if delivery.faults.is_empty() => weight,
        (Reaction::Accept, true) => weight.max(Weight::Touched),
    };
    let step = Step::new(records.flatten().collect(), sent[0].attempt.at_ms, &text, weight);
    let alike = (weight <= Weight::Effect && !acked).then(|| format!("{kind}… {end}{faults}"));
    Step { faults: delivery.faults.clone(), alike, ..step }
}

fn kind_words(kind: DeliveryKind) -> &'static str {
    match kind {
        DeliveryKind::Genuine => "",
        DeliveryKind::Duplicate => "duplicate ",
        DeliveryKind::Forged(_) => "forged ",
        DeliveryKind::Malformed(_) => "malformed ",
        DeliveryKind::UnknownType => "unknown ",
        DeliveryKind::OddlySigned(_) => "oddly signed ",
        DeliveryKind::SecondEvent | DeliveryKind::SecondEndpoint => "second ",
        DeliveryKind::Foreign(_) => "foreign ",
    }
}

fn end_words(sent: &Sent<'_>) -> String {
    if sent.attempt.what.dropped {
        return "was lost on the way, as planned".to_owned();
    }
    let Some(reply) = sent.reply else { return "was sent, no end recorded".to_owned() };
    let why = reply.what.reason.as_deref().unwrap_or("no answer");
    match (reply.what.outcome, reply.what.status) {
        (Outcome::Acked, Some(status)) => format!("acknowledged with {status}"),
        (Outcome::Acked, None) => "acknowledged".to_owned(),
        (Outcome::Refused, Some(status)) => format!("refused with {status}"),
        (Outcome::Refused, None) => format!("refused: {why}"),
        (Outcome::Indefinite, _) => format!("indefinite: {why}"),
    }
}

/// Makes one step of deliveries that went alike: of a hundred that were lost, one line says so.
pub(super) fn folded(steps: Vec<Step>) -> Vec<Step> {
    let mut folded: Vec<Step> = Vec::new();
    let mut more: BTreeMap<usize, usize> = BTreeMap::new();
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for step in steps {
        match step.alike.as_ref().and_then(|alike| first.get(alike)).copied() {
            Some(at) => {
                *more.entry(at).or_default() += 1;
                folded[at].records.extend(step.records);
            }
            None => {
                first.extend(step.alike.clone().map(|alike| (alike, folded.len())));
                folded.push(step);
            }
        }
    }
    for (at, count) in more {
        folded[at].text.push_str(&format!("; likewise {}", more_words(count)));
    }
    folded
}

fn more_words(count: usize) -> String {
    if count == 1 { "one more delivery".to_owned() } else { format!("{count} more deliveries") }
}

/// Calls that did something or met a fault; those in a row that read alike are one step.
pub(super) fn calls<'s, 'h: 's>(
    plan: &Plan,
    faults_from_ms: u64,
    calls: impl Iterator<Item = &'s Seen<'h, Call>>,
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut last: Option<(String, u64)> = None;
    for call in calls {
        let fault = call.what.faulted || call.what.fault.is_some();
        if call.what.effects.is_empty() && !fault && call.what.status < 400 {
            continue;
        }
        let text = call_words(call.what);
        if let (Some(step), Some((before, at_ms))) = (steps.last_mut(), &last)
            && *before == text
        {
            let mut records = std::mem::take(&mut step.records);
            records.push(call.n);
            let times = words::count(records.len(), "time");
            let repeated = Step::new(records, *at_ms, &format!("{text}, {times}"), step.weight);
            (step.records, step.text) = (repeated.records, repeated.text);
            continue;
        }
        let outage = |of: &&crate::plan::model::Outage| {
            of.of == call.what.double && (of.from_ms..of.until_ms).contains(&call.at_ms.saturating_sub(faults_from_ms))
        };
        let single = plan.outages.iter().find(outage).is_none();
        let faulted = fault.then_some(call.what.double);
        steps.push(Step { faulted, single, ..Step::new(vec![call.n], call.at_ms, &text, call_weight(call.what)) });
        last = Some((text, call.at_ms));
    }
    steps
}

fn call_weight(call: &Call) -> Weight {
    let makes = |effect: &Effect| match effect {
        Effect::ContactCreated { .. }
        | Effect::TicketCreated { .. }
        | Effect::TaskCreated { .. }
        | Effect::Declared { .. } => true,
        Effect::ContactUpdated { .. }
        | Effect::TicketUpdated { .. }
        | Effect::SessionOpened { .. }
        | Effect::SubscriptionCanceled { .. }
        | Effect::AlertRaised { .. } => false,
    };
    match (call.effects.iter().any(makes), call.effects.is_empty() && !call.faulted) {
        (true, _) => Weight::Cause,
        (false, true) => Weight::Touched,
        (false, false) => Weight::Effect,
    }
}

fn call_words(call: &Call) -> String {
    let effects: Vec<String> = call.effects.iter().map(effect_words).collect();
    let did = match (effects.is_empty(), call.status) {
        (false, _) => effects.join(", "),
        (true, 0) => "no effect, no answer".to_owned(),
        (true, status) => format!("no effect, answered {status}"),
    };
    let fault = match (&call.fault, call.faulted) {
        (Some(fault), _) => format!(" (planned: {fault})"),
        (None, true) => " (as planned)".to_owned(),
        (None, false) => String::new(),
    };
    format!("the service called {} ({}): {did}{fault}", double_words(&call.double), call.operation)
}

fn effect_words(effect: &Effect) -> String {
    match effect {
        Effect::ContactCreated { contact, .. } => format!("made contact {contact}"),
        Effect::ContactUpdated { contact, changed } => {
            let to = |(name, (_, now)): (&String, &(_, Option<String>))| {
                format!("{name} to {}", now.as_deref().unwrap_or("nothing"))
            };
            format!("set {} of contact {contact}", changed.iter().map(to).collect::<Vec<_>>().join(", "))
        }
        Effect::TicketCreated { ticket, queue, .. } => {
            format!("opened ticket {ticket} in {}", queue.as_ref().map_or("no queue", String::as_str))
        }
        Effect::TicketUpdated { ticket } => format!("changed ticket {ticket}"),
        Effect::TaskCreated { task, .. } => format!("made task {task}"),
        Effect::SessionOpened { session } => format!("opened Checkout session {session}"),
        Effect::SubscriptionCanceled { subscription } => format!("cancelled subscription {subscription}"),
        Effect::Declared { effect, key, .. } if key.is_empty() => format!("caused {effect}"),
        Effect::Declared { effect, key, .. } => format!("caused {effect} {key}"),
        Effect::AlertRaised { alert, .. } => format!("raised the alert {alert}"),
    }
}

fn double_words(double: &Double) -> &str {
    match double {
        Double::Crm => "the CRM",
        Double::Support => "the support desk",
        Double::Stripe => "Stripe's API",
        Double::Alerts => "the receiver of alerts",
        Double::Declared(name) => name.as_str(),
    }
}

/// A note of the history: the store was busy.
pub(super) fn busy(n: u64, at_ms: u64, on: bool) -> Step {
    let text = if on { "the store was busy from here on" } else { "the store was free again" };
    Step { busy: true, ..Step::new(vec![n], at_ms, text, Weight::Touched) }
}

/// A note of the history: the service's clock was set, in the words of the plan.
pub(super) fn clock(n: u64, at_ms: u64, what: &str, on: bool) -> Step {
    let text = if on { format!("{what} from here on") } else { "the service's clock is right again".to_owned() };
    Step { clock: true, ..Step::new(vec![n], at_ms, &text, Weight::Touched) }
}

/// The end of a process; nothing for what is no end.
pub(super) fn process(seen: &ProcessSeen<'_>) -> Option<Step> {
    let what = match seen.event {
        ProcessEvent::Died => "the service crashed, which no fault asked for",
        ProcessEvent::Killed => "the service was killed, as planned",
        ProcessEvent::Stopping => "the service was told to stop, as planned",
        ProcessEvent::Started | ProcessEvent::Ready | ProcessEvent::Stopped => return None,
    };
    let detail = seen.detail.map_or(String::new(), |detail| format!(" ({detail})"));
    let step = Step::new(vec![seen.n], seen.at_ms, &format!("{what}{detail}"), Weight::Cause);
    Some(Step { killed: matches!(seen.event, ProcessEvent::Killed | ProcessEvent::Stopping), ..step })
}

/// Probes of one instance: the first, those at which the reading changes, and the final ones when its story is the last.
pub(super) fn probes(probes: &[Seen<'_, Probe>], ends: bool) -> Vec<Step> {
    let state = |probe: &Seen<'_, Probe>| (probe.what.known, probe.what.access);
    let mut steps = Vec::new();
    for (at, probe) in probes.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &probes[before]);
        let weight = match (probe.what.last, before) {
            (true, _) if !ends => continue,
            (true, _) => Weight::Telling,
            (false, None) => Weight::Usual,
            (false, Some(before)) if state(before) != state(probe) => Weight::Effect,
            (false, Some(_)) => continue,
        };
        steps.push(Step::new(vec![probe.n], probe.at_ms, &probe_words(probe.what), weight));
    }
    steps
}

fn probe_words(what: &Probe) -> String {
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
    format!("{when} of {}: {reading}", what.instance)
}

/// What is right, in the words of a probe.
pub(super) fn expectation(right: &Expectation) -> String {
    let access = match right.access {
        Access::None => "access never open",
        Access::Granted => "access open",
        Access::Revoked => "access closed again",
    };
    let tickets = right.tickets.iter().filter(|(_, count)| **count > 0);
    let tickets = tickets.map(|(queue, count)| format!(", {} in {queue}", words::count(*count as usize, "ticket")));
    let contacts = words::count(right.contacts as usize, "contact");
    format!("{access}, status {}, plan {}, {contacts}{}", right.status, right.plan, tickets.collect::<String>())
}
