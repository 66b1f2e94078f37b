//! Requests for help, and beginnings that got stuck: one ticket each, in the queue where it belongs.
//!
//! Tickets are counted by person and queue: an app need not repeat what was asked. Must not know: how an app routes.

use super::{
    anomaly::Anomaly,
    case::{Case, EndState, Person},
    diagnosis,
    finding::{Finding, exceeds},
    tally::{Tally, tally, unrecorded},
    words,
};
use crate::{history::record::Ticket, scenario::criterion::Bound};
use std::collections::BTreeMap;

/// Tickets of each request.
pub(super) fn tickets(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} for each request, in its queue", words::bound(bound, "ticket")));
    let counted =
        tally(case, |tally: &mut Tally<Counts>, end, index, person| count(tally, case, end, index, person, bound));
    let Some(tally) = counted else { return unrecorded(case, finding, "the support desk") };
    let Counts { requests, tickets } = tally.counts;
    let seen = format!("{}: {}", words::count(whole(requests), "request"), words::count(whole(tickets), "ticket"));
    let untested = "no request was acknowledged in this run, so this was not put to the test";
    let untested = (requests == 0).then_some(untested);
    tally.judged(case, finding.seeing(seen), untested, "each request has as many tickets in its queue as asked for")
}

#[derive(Default)]
struct Counts {
    /// Acknowledged requests.
    requests: u64,
    /// Tickets beyond those of the stories.
    tickets: u64,
}

fn count(
    tally: &mut Tally<Counts>,
    case: &Case<'_>,
    end: &EndState<'_>,
    index: usize,
    person: &Person<'_>,
    bound: Bound,
) {
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
    let (mut wrong, mut all, mut allowed) = (false, 0, 0);
    for (queue, tickets) in found {
        let due = queue.and_then(|queue| story.get(queue)).map_or(0, |n| *n);
        let beyond = (tickets.len() as u64).saturating_sub(due);
        let (least, most) = queue.and_then(|queue| requested.get(queue)).copied().unwrap_or_default();
        tally.counts.requests += least;
        tally.counts.tickets += beyond;
        all += beyond;
        allowed += most;
        // A request that was not acknowledged may have come through or not.
        let holds = (least..=most).any(|n| times(bound, n).holds(beyond));
        if holds {
            continue;
        }
        wrong = true;
        let place = queue.map_or_else(|| "no queue".to_owned(), |queue| format!("queue `{queue}`"));
        let (asked, has) = (words::count(whole(most), "request"), words::count(whole(beyond), "ticket"));
        let what = format!("{} has {has} in {place} for {asked} that belong there", person.words());
        let excess = exceeds(times(bound, most), beyond);
        tally.wrong(what, excess, tickets.iter().map(|ticket| ticket.id.clone()));
    }
    if wrong {
        // A ticket in a wrong queue is one too many there, but no second one: nobody finds it where it belongs.
        let doubled = exceeds(times(bound, allowed), all);
        let anomaly = if doubled { Anomaly::Duplicate } else { diagnosis::missing(case, index, Some(end)) };
        tally.name(anomaly, index);
    }
}

fn whole(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn times(bound: Bound, requests: u64) -> Bound {
    match bound {
        Bound::Exactly(n) => Bound::Exactly(n * requests),
        Bound::AtMost(n) => Bound::AtMost(n * requests),
    }
}
