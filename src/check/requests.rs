//! Requests for help, and beginnings that got stuck: one ticket each, in the queue where it belongs.
//!
//! Tickets are counted by person and queue: an app need not repeat what was asked. Must not know: how an app routes.

use super::{
    case::{Case, EndState, Person},
    finding::{Finding, exceeds},
    words,
};
use crate::{
    history::record::{Effect, Ticket},
    scenario::criterion::Bound,
};
use std::collections::{BTreeMap, BTreeSet};

/// Tickets of each request.
pub(super) fn tickets(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} for each request, in its queue", words::bound(bound, "ticket")));
    let mut tally = Tally::default();
    for end in &case.ends {
        let Some(ledger) = end.ledger else { continue };
        tally = Tally { ledgers: tally.ledgers, ..Tally::default() };
        tally.ledgers.push(ledger.n);
        for (index, person) in case.real_people() {
            tally.person(case, end, index, person, bound);
        }
        if !tally.wrong.is_empty() {
            break;
        }
    }
    if tally.ledgers.is_empty() {
        let why = "the state of the support desk was not recorded at the end of a quiet phase".to_owned();
        return finding.seeing("no state of the desk").inconclusive(case.gap.clone().unwrap_or(why));
    }
    let seen = format!("{}: {}", words::count(tally.requests, "request"), words::count(tally.tickets, "ticket"));
    let finding = finding.seeing(seen).evidence(tally.evidence(case)).about(tally.about);
    let reasons = words::few(&tally.wrong);
    match (tally.positive, tally.wrong.is_empty()) {
        (true, _) => finding.fail(reasons),
        (false, false) => finding.fail_if_whole(case, reasons),
        (false, true) if tally.requests == 0 => {
            finding.inconclusive("no request was acknowledged in this run, so this was not put to the test")
        }
        (false, true) => finding.pass_if_whole(case, "each request has as many tickets in its queue as asked for"),
    }
}

#[derive(Default)]
struct Tally {
    ledgers: Vec<u64>,
    /// Acknowledged requests, and tickets beyond those of the stories.
    requests: usize,
    tickets: usize,
    wrong: Vec<String>,
    /// Whether something is there that must not be: evidence even when the run has a gap.
    positive: bool,
    offenders: BTreeSet<String>,
    about: Option<usize>,
}

impl Tally {
    fn person(&mut self, case: &Case<'_>, end: &EndState<'_>, index: usize, person: &Person<'_>, bound: Bound) {
        let requested = case.requested(person);
        if requested.is_empty() {
            return;
        }
        let story = case.tickets_due(person);
        let mut found: BTreeMap<Option<&str>, Vec<&Ticket>> = BTreeMap::new();
        for ticket in &end.tickets[index] {
            found.entry(ticket.queue.as_deref()).or_default().push(ticket);
        }
        for queue in requested.keys() {
            found.entry(Some(queue.as_str())).or_default();
        }
        for (queue, tickets) in found {
            let due = queue.and_then(|queue| story.get(queue)).map_or(0, |n| *n);
            let beyond = (tickets.len() as u64).saturating_sub(due);
            let (least, most) = queue.and_then(|queue| requested.get(queue)).copied().unwrap_or_default();
            self.requests += usize::try_from(least).unwrap_or(usize::MAX);
            self.tickets += usize::try_from(beyond).unwrap_or(usize::MAX);
            // A request that was not acknowledged may have come through or not.
            let holds = (least..=most).any(|n| times(bound, n).holds(beyond));
            if holds {
                continue;
            }
            self.positive |= exceeds(times(bound, most), beyond);
            self.about = self.about.or(Some(index));
            self.offenders.extend(tickets.iter().map(|ticket| ticket.id.clone()));
            let place = queue.map_or_else(|| "no queue".to_owned(), |queue| format!("queue `{queue}`"));
            let asked = words::count(usize::try_from(most).unwrap_or(usize::MAX), "request");
            let has = words::count(usize::try_from(beyond).unwrap_or(usize::MAX), "ticket");
            self.wrong.push(format!("{} has {has} in {place} for {asked} that belong there", person.words()));
        }
    }

    /// Calls that opened the tickets in question, then the state that was counted.
    fn evidence(&self, case: &Case<'_>) -> Vec<u64> {
        let opens = |effect: &Effect| match effect {
            Effect::TicketCreated { ticket, .. } => self.offenders.contains(ticket),
            _ => false,
        };
        let opened = case.seen.calls.iter().filter(|call| call.what.effects.iter().any(opens));
        opened.map(|call| call.n).take(super::MOST_EVIDENCE - 1).chain(self.ledgers.last().copied()).collect()
    }
}

fn times(bound: Bound, requests: u64) -> Bound {
    match bound {
        Bound::Exactly(n) => Bound::Exactly(n * requests),
        Bound::AtMost(n) => Bound::AtMost(n * requests),
    }
}
