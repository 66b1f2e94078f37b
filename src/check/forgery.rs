//! What must be refused: forged deliveries leave no trace, bad payloads get a safe answer.
//!
//! Must not know: how a signature is made.

use super::{
    anomaly::Anomaly,
    case::{Case, Person, acked},
    declared, effect,
    finding::{Finding, exceeds},
    stale, words,
};
use crate::{
    history::{
        lookup::Sent,
        record::{Effect, Outcome, ProcessEvent},
    },
    id::{DeliveryId, InstanceId},
    plan::model::{Delivery, DeliveryKind, Reaction},
    scenario::criterion::Bound,
};
use std::collections::BTreeSet;

/// Something seen.
struct Trace {
    what: String,
    /// The record that shows it.
    n: u64,
    anomaly: Anomaly,
    person: Option<usize>,
}

/// Tells of what was found, in words, by its records and by its names.
fn tell(finding: Finding, found: &[Trace]) -> (Finding, Vec<String>) {
    let named = found.iter().map(|trace| (trace.anomaly, trace.person));
    let finding = finding.evidence(found.iter().map(|trace| trace.n)).named(named);
    (finding, found.iter().map(|trace| trace.what.clone()).collect())
}

/// The person of an instance; a ghost is one too.
fn person(case: &Case<'_>, id: &InstanceId) -> Option<usize> {
    case.people.iter().position(|person| person.instances.iter().any(|instance| instance.id == *id))
}

/// Forged deliveries that were accepted or left a trace.
pub(super) fn traces(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} of a forged delivery", words::bound(bound, "trace")));
    let forged: Vec<&Delivery> = case.plan.deliveries.iter().filter(|d| is_of_nobody(d.kind)).collect();
    let answered = |delivery: &&&Delivery| case.seen.sent(&delivery.id).iter().any(|sent| status(sent).is_some());
    let heard = forged.iter().filter(answered).count();
    let mut found: Vec<Trace> = Vec::new();
    for delivery in forged.iter().filter(|d| d.expect == Reaction::Refuse && acked(&case.seen, d)) {
        let reply = case.seen.sent(&delivery.id).iter().filter_map(|sent| sent.reply);
        let n = reply.filter(|reply| reply.what.outcome == Outcome::Acked).map(|reply| reply.n).next();
        found.push(Trace {
            what: format!("forged delivery {} was accepted", delivery.id),
            n: n.unwrap_or_default(),
            anomaly: of_kind(delivery.kind),
            person: person(case, &delivery.instance),
        });
    }
    let stale = stale::attempts(case);
    for (delivery, sent) in stale.iter().filter(|(_, sent)| stale::was_acked(sent)) {
        let what = format!("{} was accepted, though its signature was stale by the service's clock", delivery.id);
        let n = sent.reply.map_or(sent.attempt.n, |reply| reply.n);
        found.push(Trace { what, n, anomaly: Anomaly::Forged, person: person(case, &delivery.instance) });
    }
    let ghosts = case.people.iter().enumerate().filter(|(_, person)| person.ghost);
    for (index, ghost) in ghosts {
        found.extend(ghost_traces(case, index, ghost));
    }
    let seen = format!(
        "{}, {heard} answered: {}",
        words::count(forged.len(), "forged delivery"),
        words::count(found.len(), "trace")
    );
    let seen = match stale.len() {
        0 => seen,
        many => format!("{}; {seen}", words::count(many, "stale attempt")),
    };
    let (finding, texts) = tell(finding.seeing(seen), &found);
    if exceeds(bound, found.len() as u64) {
        return finding.fail(words::few(&texts));
    }
    match (forged.is_empty() && stale.is_empty(), heard + stale.len()) {
        (true, _) => finding.inconclusive("the plan holds no forged delivery, so none could leave a trace"),
        (false, 0) => finding.inconclusive("no forged delivery was answered, so nothing was put to the test"),
        (false, _) => finding.counted(case, bound, found.len() as u64, "traces were left"),
    }
}

/// What is known of a customer who does not exist.
fn ghost_traces(case: &Case<'_>, index: usize, ghost: &Person<'_>) -> Vec<Trace> {
    let anomaly = whose(case, ghost);
    let bodies = if anomaly == Anomaly::CrossTenant { "bodies of others" } else { "forged bodies" };
    let who = format!("{}, who only stands in {bodies}", ghost.words());
    let trace = |what: String, n: u64| Trace { what, n, anomaly, person: Some(index) };
    let probes = ghost.instances.iter().flat_map(|instance| case.seen.probes(&instance.id));
    let mut known = probes.filter(|probe| effect::tells(case, probe.what));
    let mut found: Vec<Trace> =
        known.next().map(|probe| trace(format!("the app knows {who}"), probe.n)).into_iter().collect();
    let mut contacts = BTreeSet::new();
    let mut tickets = BTreeSet::new();
    for end in &case.ends {
        let n = end.ledger.map_or(0, |ledger| ledger.n);
        for contact in end.contacts[index].iter().filter(|contact| contacts.insert(contact.id.as_str())) {
            found.push(trace(format!("contact {} belongs to {who}", contact.id), n));
        }
        for ticket in end.tickets[index].iter().filter(|ticket| tickets.insert(ticket.id.as_str())) {
            found.push(trace(format!("ticket {} belongs to {who}", ticket.id), n));
        }
    }
    let made = case.seen.calls.iter().flat_map(|call| call.what.effects.iter().map(move |effect| (call, effect)));
    for (call, effect) in made {
        let n = call.n;
        if let Effect::Declared { double, effect: name, key, .. } = effect
            && declared::people(case, effect, call.what).contains(&index)
        {
            found.push(trace(format!("{} names {who}", format!("{double}.{name} {key}").trim_end()), n));
        }
        let Effect::ContactCreated { contact, email: Some(email) } = effect else { continue };
        if case.owners.of_email(email) == Some(index) && contacts.insert(contact) {
            found.push(trace(format!("contact {contact} was made for {who}"), n));
        }
    }
    found
}

/// Bad payloads answered otherwise than by a safe 4xx, and any answer that lets something out.
pub(super) fn unsafe_errors(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!(
        "{}: each bad payload gets a 4xx that gives nothing away, each unknown type a 2xx",
        words::bound(bound, "unsafe answer")
    ));
    let bad: Vec<&Delivery> = case.plan.deliveries.iter().filter(|delivery| may_be_bad(delivery)).collect();
    let mut found: Vec<Trace> = leaks(case);
    found.extend(refused_unknown_types(case));
    let mut heard = 0;
    for delivery in &bad {
        for sent in case.seen.sent(&delivery.id).iter().filter(|sent| is_bad(delivery, sent)) {
            heard += u64::from(status(sent).is_some());
            found.extend(unsafe_answer(case, delivery, sent));
        }
    }
    let sent = words::count(bad.len(), "bad payload");
    let seen = format!("{sent}, {} back: {} unsafe", words::count(heard as usize, "answer"), found.len());
    let (finding, texts) = tell(finding.seeing(seen), &found);
    if exceeds(bound, found.len() as u64) {
        return finding.fail(words::few(&texts));
    }
    let unheard = |d: &Delivery| case.seen.sent(&d.id).iter().all(|s| !is_bad(d, s) || status(s).is_none());
    let silent = bad.iter().filter(|delivery| unheard(delivery)).count();
    match (bad.is_empty(), silent) {
        (true, _) => finding.inconclusive("the plan holds no bad payload, so no answer was put to the test"),
        (false, 0) => finding.counted(case, bound, found.len() as u64, "answers were unsafe"),
        (false, silent) => {
            let why = format!("{} got no answer at all", words::count(silent, "bad payload"));
            finding.inconclusive(case.gap.clone().unwrap_or(why))
        }
    }
}

/// Whether a delivery is a bad payload, or one of its attempts is made one on its way.
fn may_be_bad(delivery: &Delivery) -> bool {
    delivery.expect == Reaction::Refuse || delivery.transport.iter().any(|step| step.how.is_bad_payload())
}

/// Whether that very attempt was a bad payload.
fn is_bad(delivery: &Delivery, sent: &Sent<'_>) -> bool {
    let attempt = &sent.attempt.what;
    let broken = delivery.on_the_way(attempt.attempt).is_some_and(|how| how.is_bad_payload());
    delivery.expect == Reaction::Refuse || (broken && !attempt.dropped)
}

fn status(sent: &Sent<'_>) -> Option<u16> {
    sent.reply.and_then(|reply| reply.what.status)
}

/// Every answer, to whatever was sent, that lets something out.
fn leaks(case: &Case<'_>) -> Vec<Trace> {
    let sent = case.plan.deliveries.iter().flat_map(|delivery| case.seen.sent(&delivery.id));
    let replies = sent.filter_map(|sent| sent.reply).filter(|reply| !reply.what.leaks.is_empty());
    // An endpoint that gives something away does so at every attempt: each delivery counts once.
    let mut told = BTreeSet::new();
    let replies = replies.filter(move |reply| told.insert(&reply.what.delivery));
    let trace = |what: String, n: u64, person| Trace { what, n, anomaly: Anomaly::UnsafeError, person };
    let whose = |id: &DeliveryId| {
        let delivery = case.plan.deliveries.iter().find(|delivery| delivery.id == *id)?;
        person(case, &delivery.instance)
    };
    let replies = replies.map(|reply| {
        let (what, leaks) = (reply.what, reply.what.leaks.join(", "));
        trace(format!("the answer to {} shows: {leaks}", what.delivery), reply.n, whose(&what.delivery))
    });
    let visits = case.seen.visits.iter().filter(|visit| !visit.what.leaks.is_empty());
    let visits = visits.map(|visit| {
        let (what, leaks) = (visit.what, visit.what.leaks.join(", "));
        trace(format!("the page of {} shows: {leaks}", what.instance), visit.n, person(case, &what.instance))
    });
    replies.chain(visits).collect()
}

/// What is unsafe about the answer to a bad payload. One that leaks is counted by [`leaks`] already.
fn unsafe_answer(case: &Case<'_>, delivery: &Delivery, sent: &Sent<'_>) -> Option<Trace> {
    let way = delivery.on_the_way(sent.attempt.what.attempt).map(|how| how.what());
    let what = format!("{} ({})", delivery.id, way.as_deref().unwrap_or(kind_words(delivery.kind)));
    let n = sent.reply.map_or(sent.attempt.n, |reply| reply.n);
    let person = person(case, &delivery.instance);
    match status(sent) {
        Some(400..=499) => None,
        Some(_) if sent.reply.is_some_and(|reply| !reply.what.leaks.is_empty()) => None,
        Some(status) => {
            let accepted = (200..300).contains(&status) && matches!(delivery.kind, DeliveryKind::Forged(_));
            let anomaly = if accepted { Anomaly::Forged } else { Anomaly::UnsafeError };
            Some(Trace { what: format!("{what} was answered {status} instead of a 4xx"), n, anomaly, person })
        }
        None => {
            let n = crash_after(case, sent)?;
            Some(Trace { what: format!("the service crashed on {what}"), n, anomaly: Anomaly::UnsafeError, person })
        }
    }
}

/// What it is called when a delivery of nobody is accepted.
const fn of_kind(kind: DeliveryKind) -> Anomaly {
    match kind {
        DeliveryKind::Foreign(_) => Anomaly::CrossTenant,
        _ => Anomaly::Forged,
    }
}

/// What it is called when a customer who does not exist left a trace. Forged events and those of another account may tell of
/// the same one: what was accepted of them decides.
fn whose(case: &Case<'_>, ghost: &Person<'_>) -> Anomaly {
    let mine = |delivery: &&Delivery| ghost.instances.iter().any(|instance| instance.id == delivery.instance);
    let told: Vec<&Delivery> = case.plan.deliveries.iter().filter(mine).filter(|d| is_of_nobody(d.kind)).collect();
    let of = |foreign: bool| told.iter().filter(move |d| matches!(d.kind, DeliveryKind::Foreign(_)) == foreign);
    let forged_in = of(false).any(|delivery| acked(&case.seen, delivery));
    let foreign = of(true).count() > 0;
    if foreign && !forged_in { Anomaly::CrossTenant } else { Anomaly::Forged }
}

/// Content of customers who do not exist: forged, or of another account or mode.
fn is_of_nobody(kind: DeliveryKind) -> bool {
    match kind {
        DeliveryKind::Forged(_) => true,
        DeliveryKind::Foreign(how) => how.is_of_nobody(),
        _ => false,
    }
}

/// Extra deliveries that are no bad payload.
const fn is_strange(kind: DeliveryKind) -> bool {
    match kind {
        DeliveryKind::UnknownType
        | DeliveryKind::OddlySigned(_)
        | DeliveryKind::SecondEvent
        | DeliveryKind::SecondEndpoint
        | DeliveryKind::Foreign(_) => true,
        DeliveryKind::Genuine | DeliveryKind::Duplicate | DeliveryKind::Forged(_) | DeliveryKind::Malformed(_) => false,
    }
}

/// Events of a type that the app does not know, and others that mean nothing to it, must be acknowledged: Stripe repeats what is refused for three days and
/// then disables the endpoint (bug class 39).
fn refused_unknown_types(case: &Case<'_>) -> Vec<Trace> {
    let unknown = case.plan.deliveries.iter().filter(|d| is_strange(d.kind) && d.expect == Reaction::Accept);
    let refused = |sent: &&Sent<'_>| status(sent).is_some_and(|status| !(200..300).contains(&status));
    unknown
        .filter_map(|delivery| {
            let sent = case.seen.sent(&delivery.id).iter().find(refused)?;
            let what = format!("{} ({}) was refused instead of acknowledged", delivery.id, kind_words(delivery.kind));
            let n = sent.reply.map_or(sent.attempt.n, |reply| reply.n);
            Some(Trace { what, n, anomaly: Anomaly::UnboundedRedelivery, person: person(case, &delivery.instance) })
        })
        .collect()
}

/// The crash that followed an attempt without an answer, before the process was up again.
fn crash_after(case: &Case<'_>, sent: &Sent<'_>) -> Option<u64> {
    let after = case.seen.processes.iter().find(|process| process.n > sent.attempt.n)?;
    (after.event == ProcessEvent::Died && !sent.attempt.what.dropped).then_some(after.n)
}

fn kind_words(kind: DeliveryKind) -> &'static str {
    match kind {
        DeliveryKind::Genuine => "genuine",
        DeliveryKind::Duplicate => "a duplicate",
        DeliveryKind::Forged(_) => "forged",
        DeliveryKind::Malformed(_) => "malformed",
        DeliveryKind::UnknownType => "of an unknown type",
        DeliveryKind::OddlySigned(_) => "genuine, oddly signed",
        DeliveryKind::SecondEvent => "a second event for the same change",
        DeliveryKind::SecondEndpoint => "from a second endpoint",
        DeliveryKind::Foreign(how) => how.what(),
    }
}
