//! Whether the events of a customer took effect: the end that was written by hand against what can be seen from outside.
//!
//! Must not know: what an event body says.

use super::{
    case::{Case, Chain, EndState, is_genuine},
    words,
};
use crate::{
    history::{lookup::Seen, record::Probe},
    id::{EventId, InstanceId},
    stripe::recording::{Access, Expectation},
};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a customer's end is the right one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// It is, as far as the target can be asked.
    Yes,
    /// It is not: what differs, and the records that show it.
    No(String, Vec<u64>),
    /// It could not be read; why.
    Unreadable(String),
    /// Nobody wrote down what is right.
    Unsaid,
}

/// Judges the end of one customer at the end of every quiet phase; the first that differs counts.
pub(super) fn took(case: &Case<'_>, chain: &Chain<'_>) -> Took {
    let Some(expected) = chain.end() else { return Took::Unsaid };
    if case.ends.is_empty() {
        return Took::Unreadable("the run never reached its quiet phase".to_owned());
    }
    let mut answer = Took::Yes;
    for end in &case.ends {
        let parts = [
            access(case, chain, end, expected.access.is_open()),
            state(case, chain, end, expected),
            contacts(case, chain, end),
            tickets(case, chain, end),
        ];
        for part in parts {
            match part {
                Took::No(..) => return part,
                Took::Unreadable(_) if answer == Took::Yes => answer = part,
                Took::Yes | Took::Unreadable(_) | Took::Unsaid => {}
            }
        }
    }
    answer
}

/// The final reading of a customer; why there is none otherwise.
pub(super) fn reading<'a>(case: &Case<'a>, chain: &Chain<'_>, end: &EndState<'_>) -> Result<Seen<'a, Probe>, String> {
    let mut probes = chain.links.iter().rev().filter_map(|link| case.seen.last_probe(&link.id, end.phase));
    let Some(probe) = probes.next() else {
        return Err(format!("{} was not probed {}", chain.words(), end.words()));
    };
    match (&probe.what.error, probe.what.known) {
        (Some(error), _) => Err(format!("the probe of {} failed: {error}", chain.words())),
        (None, None) => Err(format!("the probe of {} did not say whether the app knows them", chain.words())),
        (None, Some(_)) => Ok(probe),
    }
}

/// Whether there is nobody whose state could be read: the story never made a Stripe customer, nothing is due, and the
/// probe could not even be asked (its URL names a customer).
pub(super) fn nobody_to_ask(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> bool {
    let nothing_due = chain.end().is_some_and(|expected| expected.access == Access::None);
    let without_customer = chain.links.iter().all(|link| link.customer.is_none());
    let mut probes = chain.links.iter().filter_map(|link| case.seen.last_probe(&link.id, end.phase));
    nothing_due && without_customer && probes.any(|probe| probe.what.error.is_some())
}

/// Whether a probe says that the app knows a customer. An app may answer 200 for everybody whom it is asked of: outside our
/// own service, whose answer is 404 then, something must be there.
pub(super) fn tells(case: &Case<'_>, probe: &Probe) -> bool {
    let own = case.seen.start.is_some_and(|start| start.target.starts_with("embedded"));
    let word = |field: &Option<String>| field.as_ref().is_some_and(|f| !f.is_empty() && f != "none" && f != "false");
    let something = word(&probe.status) || word(&probe.plan) || probe.values.values().any(|value| *value != 0);
    probe.access == Some(true) || (probe.known == Some(true) && (own || something))
}

/// Whether anybody at all was ever seen with open access: else a closed one shows nothing.
pub(super) fn ever_open(case: &Case<'_>) -> bool {
    case.chains.iter().any(|chain| opened(case, chain).is_some())
}

/// The first probe that found access open.
pub(super) fn opened(case: &Case<'_>, chain: &Chain<'_>) -> Option<u64> {
    let probes = chain.links.iter().flat_map(|link| case.seen.probes(&link.id));
    probes.filter(|probe| probe.what.access == Some(true)).map(|probe| probe.n).min()
}

/// Number of the first attempt for each instance.
pub(super) fn first_sent<'a>(case: &Case<'a>) -> BTreeMap<&'a InstanceId, u64> {
    let mut first = BTreeMap::new();
    for delivery in &case.plan.deliveries {
        if let Some(n) = case.seen.sent(&delivery.id).iter().map(|sent| sent.attempt.n).min() {
            first.entry(&delivery.instance).and_modify(|least: &mut u64| *least = n.min(*least)).or_insert(n);
        }
    }
    first
}

/// The probe that found access open before anything of this customer was sent, if one did: such access is no effect of
/// what was sent, and an app that opens to everybody must not pass for one that activates.
pub(super) fn open_unasked(case: &Case<'_>, chain: &Chain<'_>, first_sent: &BTreeMap<&InstanceId, u64>) -> Option<u64> {
    let first = chain.links.iter().filter_map(|link| first_sent.get(&link.id)).min()?;
    opened(case, chain).filter(|n| n < first)
}

/// Access against what it should be. A customer whom the app does not know has none.
pub(super) fn access(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>, open: bool) -> Took {
    if nobody_to_ask(case, chain, end) {
        return Took::Unsaid;
    }
    let probe = match reading(case, chain, end) {
        Ok(probe) => probe,
        Err(why) => return Took::Unreadable(why),
    };
    let known = probe.what.known == Some(true);
    let found = match probe.what.access {
        Some(access) => access,
        None if known => return Took::Unreadable(format!("the probe of {} read no access", chain.words())),
        None => false,
    };
    if found == open {
        return Took::Yes;
    }
    let unknown = if known { "" } else { ", for the app does not know them" };
    let (should, is) = if open { ("open", "closed") } else { ("closed", "open") };
    Took::No(format!("access is {is} and should be {should}{unknown} {}", end.words()), vec![probe.n])
}

/// What the probe reads of the state: a field that it never read for anybody is not judged, unless the target is our own
/// service, whose probe reads all.
fn reads(case: &Case<'_>, field: impl Fn(&Probe) -> Option<&String>) -> bool {
    let own = case.seen.start.is_some_and(|start| start.target.starts_with("embedded"));
    let ours = |chain: &Chain<'_>, end: &EndState<'_>| {
        reading(case, chain, end).is_ok_and(|probe| field(probe.what).is_some())
    };
    own || case.ends.iter().any(|end| case.chains.iter().any(|chain| ours(chain, end)))
}

/// Which of status and plan the probe reads in this run.
pub(super) fn fields_read(case: &Case<'_>) -> (bool, bool) {
    (reads(case, |probe| probe.status.as_ref()), reads(case, |probe| probe.plan.as_ref()))
}

/// Status and plan against what they should be, where the probe reads them.
pub(super) fn state(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>, expected: &Expectation) -> Took {
    if !case.seen.able("state_probe") {
        return Took::Yes;
    }
    if nobody_to_ask(case, chain, end) {
        return Took::Unsaid;
    }
    let probe = match reading(case, chain, end) {
        Ok(probe) => probe,
        Err(why) => return Took::Unreadable(why),
    };
    // Of a customer whom the app does not know, all is known: there is nothing.
    let unknown = probe.what.known == Some(false);
    let fields = [
        ("status", case.fields.0 || unknown, probe.what.status.as_deref(), expected.status.as_str()),
        ("plan", case.fields.1 || unknown, probe.what.plan.as_deref(), expected.plan.as_str()),
    ];
    let wrong: Vec<String> = fields
        .into_iter()
        .map(|(name, read, found, should)| (name, read, found.filter(|f| !f.is_empty()).unwrap_or("none"), should))
        .filter(|(_, read, found, should)| *read && found != should)
        .map(|(name, _, found, should)| format!("{name} is {found} and should be {should}"))
        .collect();
    match wrong.is_empty() {
        true => Took::Yes,
        false => Took::No(format!("{} {}", wrong.join(", "), end.words()), vec![probe.n]),
    }
}

fn contacts(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> Took {
    let person = &case.people[chain.person];
    let (true, Some(_)) = (case.seen.able("crm"), case.contacts_due(person)) else { return Took::Yes };
    let (Some(ledger), Some((found, due, _))) = (end.ledger, contact_count(case, chain, end)) else {
        return no_ledger(end);
    };
    if found == due {
        return Took::Yes;
    }
    let found = words::count(usize::try_from(found).unwrap_or(usize::MAX), "contact");
    Took::No(format!("{found} in the CRM {} and {due} due", end.words()), vec![ledger.n])
}

/// Contacts of a customer's person: how many there are, at least and at most due. `None` where nobody can tell.
pub(super) fn contact_count(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> Option<(u64, u64, u64)> {
    let due = u64::from(case.contacts_due(&case.people[chain.person])?);
    end.ledger.filter(|_| case.seen.able("crm"))?;
    // A contact that the CRM's own people made is no effect of the service where none was due.
    let found = end.contacts[chain.person].iter().filter(|contact| due > 0 || !contact.given).count() as u64;
    Some((found, due, due))
}

/// Tickets of a customer's person in one queue.
struct InQueue {
    queue: String,
    found: u64,
    least: u64,
    most: u64,
}

fn queues(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> Vec<InQueue> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for ticket in &end.tickets[chain.person] {
        *found.entry(ticket.queue.clone().unwrap_or_else(|| "no queue".to_owned())).or_default() += 1;
    }
    let due = case.tickets_due(&case.people[chain.person]);
    let requested = case.requested(&case.people[chain.person]);
    let names: BTreeSet<&String> = found.keys().chain(due.keys()).chain(requested.keys()).collect();
    let row = |queue: &String| {
        let story = due.get(queue).copied().unwrap_or(0);
        let (least, most) = requested.get(queue).copied().unwrap_or_default();
        let found = found.get(queue).copied().unwrap_or(0);
        InQueue { queue: queue.clone(), found, least: story + least, most: story + most }
    };
    names.into_iter().map(row).collect()
}

fn tickets(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> Took {
    if !case.seen.able("support") {
        return Took::Yes;
    }
    let Some(ledger) = end.ledger else { return no_ledger(end) };
    let queues = queues(case, chain, end);
    if queues.iter().all(|queue| (queue.least..=queue.most).contains(&queue.found)) {
        return Took::Yes;
    }
    let by = |count: fn(&InQueue) -> u64| {
        let some = queues.iter().filter(|queue| count(queue) > 0);
        by_queue(&some.map(|queue| (queue.queue.clone(), count(queue))).collect())
    };
    let (is, should) = (by(|queue| queue.found), by(|queue| queue.least));
    Took::No(format!("tickets are {is} {} and should be {should}", end.words()), vec![ledger.n])
}

/// Tickets of a customer's person over all queues: how many there are, at least and at most due; where the sum is right but
/// they lie in wrong queues, none counts as there. `None` where nobody can tell.
pub(super) fn ticket_count(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> Option<(u64, u64, u64)> {
    end.ledger.filter(|_| case.seen.able("support") && chain.end().is_some())?;
    let queues = queues(case, chain, end);
    let sum = |count: fn(&InQueue) -> u64| queues.iter().map(count).sum::<u64>();
    let (found, least, most) = (sum(|queue| queue.found), sum(|queue| queue.least), sum(|queue| queue.most));
    let misplaced = queues.iter().any(|queue| queue.found > queue.most);
    Some((if misplaced && found <= most { 0 } else { found }, least, most))
}

/// How many acknowledged events the service does not hold, by its own count, and the record that says so.
pub(super) fn not_stored(case: &Case<'_>) -> Option<(u64, u64)> {
    let queue = case.seen.queues.iter().rev().find(|queue| queue.what.last).filter(|_| case.seen.able("queue"))?;
    let genuine = case.plan.deliveries.iter().filter(|delivery| is_genuine(delivery));
    let acked: BTreeSet<&EventId> =
        genuine.filter(|d| super::case::acked(&case.seen, d)).filter_map(|d| d.event.as_ref()).collect();
    Some(((acked.len() as u64).saturating_sub(queue.what.events), queue.n))
}

fn no_ledger(end: &EndState<'_>) -> Took {
    Took::Unreadable(format!("the state of the doubles was not recorded {}", end.words()))
}

fn by_queue(tickets: &BTreeMap<String, u64>) -> String {
    if tickets.is_empty() {
        return "none".to_owned();
    }
    tickets.iter().map(|(queue, n)| format!("{n} in {queue}")).collect::<Vec<_>>().join(" and ")
}

/// What access should be, in words.
pub(super) fn access_words(access: Access) -> &'static str {
    match access {
        Access::None => "none",
        Access::Granted => "open",
        Access::Revoked => "closed again",
    }
}
