//! The support desk: one ticket for each failed invoice, in the right queue, and none for those whose payments went through.
//!
//! Must not know: which desk it is.

use super::{
    anomaly::Anomaly,
    case::{Case, EndState, Person},
    diagnosis,
    finding::{Finding, exceeds},
    owner::{mentions, ticket_texts},
    tally::{Tally, tally, unrecorded},
    words,
};
use crate::{history::record::Ticket, id::InvoiceId, scenario::criterion::Bound};

/// Tickets for each failed invoice.
pub(super) fn per_failed_invoice(case: &Case<'_>, bound: Bound, queue: &str) -> Finding {
    let expected = format!("{} for each failed invoice, in queue `{queue}`", words::bound(bound, "ticket"));
    let finding = Finding::expecting(expected);
    let rule = Rule { bound, queue };
    let Some(tally) = tally(case, |tally, end, index, person| rule.person(tally, case, end, index, person)) else {
        return unrecorded(case, finding, "the support desk");
    };
    let untested = "no customer of this run has a failed invoice, so this was not put to the test";
    let untested = tally.counts.invoices.is_empty().then_some(untested);
    let finding = finding.seeing(tally.counts.words());
    tally.judged(case, finding, untested, "each failed invoice has as many tickets as asked for")
}

/// What is asked for.
struct Rule<'c> {
    bound: Bound,
    queue: &'c str,
}

/// Tickets of all people at one end.
#[derive(Default)]
struct Counts {
    /// Of each failed invoice.
    invoices: Vec<u64>,
    by_requester: bool,
}

/// What is wrong with the tickets of one person.
#[derive(Default)]
struct Slips {
    too_many: bool,
    too_few: bool,
    elsewhere: bool,
    uncalled: bool,
}

impl Rule<'_> {
    fn person(
        &self,
        tally: &mut Tally<Counts>,
        case: &Case<'_>,
        end: &EndState<'_>,
        index: usize,
        person: &Person<'_>,
    ) {
        let mut slips = Slips::default();
        let tickets = &end.tickets[index];
        let invoices: Vec<&InvoiceId> = person.instances.iter().flat_map(|i| &i.failed_invoices).collect();
        let about =
            |ticket: &&Ticket, invoice: &InvoiceId| ticket_texts(ticket).any(|text| mentions(text, invoice.as_str()));
        let (named, others): (Vec<&Ticket>, Vec<&Ticket>) =
            tickets.iter().copied().partition(|ticket| invoices.iter().any(|invoice| about(ticket, invoice)));
        // Tickets that the story asks for besides (a dispute, a request) are no business of this criterion.
        let ((extra, due_still), named_here) = (self.not_due(case, person, &others, &invoices), !named.is_empty());
        if named_here || extra.is_empty() {
            for invoice in &invoices {
                let of: Vec<&Ticket> = named.iter().copied().filter(|ticket| about(ticket, invoice)).collect();
                self.invoice(tally, &mut slips, &format!("invoice {invoice}"), &of, self.bound);
            }
            stray(tally, &mut slips, person, &extra, invoices.is_empty());
        } else if invoices.is_empty() {
            stray(tally, &mut slips, person, &extra, true);
            // It was called for, but in another queue.
            slips.elsewhere |= extra.len() as u64 <= due_still;
        } else {
            self.by_requester(tally, &mut slips, person, &extra, invoices.len() as u64);
        }
        let anomaly = match slips {
            Slips { too_many: true, .. } => Anomaly::Duplicate,
            // One that nobody finds where it belongs is as good as none.
            Slips { too_few: true, .. } | Slips { elsewhere: true, .. } => diagnosis::missing(case, index, Some(end)),
            Slips { uncalled: true, .. } => Anomaly::Premature,
            Slips { .. } => return,
        };
        tally.name(anomaly, index);
    }

    /// Tickets beyond those that the person's stories ask for besides their failed invoices, and how many of those that they
    /// ask for are not there.
    fn not_due<'t>(
        &self,
        case: &Case<'_>,
        person: &Person<'_>,
        tickets: &[&'t Ticket],
        invoices: &[&InvoiceId],
    ) -> (Vec<&'t Ticket>, u64) {
        let mut due = case.tickets_due(person);
        for (queue, (_, most)) in case.requested(person) {
            *due.entry(queue).or_default() += most;
        }
        if let Some(here) = due.get_mut(self.queue) {
            *here = here.saturating_sub(invoices.len() as u64);
        }
        let mut extra = Vec::new();
        for ticket in tickets {
            match ticket.queue.as_ref().and_then(|queue| due.get_mut(queue)) {
                Some(left) if *left > 0 => *left -= 1,
                Some(_) | None => extra.push(*ticket),
            }
        }
        (extra, due.values().sum())
    }

    fn invoice(&self, tally: &mut Tally<Counts>, slips: &mut Slips, what: &str, tickets: &[&Ticket], bound: Bound) {
        let count = tickets.len() as u64;
        tally.counts.invoices.push(count);
        if !bound.holds(count) {
            let list = if count == 0 { String::new() } else { format!(" ({})", ids(tickets)) };
            let excess = exceeds(bound, count);
            slips.too_many |= excess;
            slips.too_few |= !excess;
            let what = format!("{what} has {}{list}", words::count(tickets.len(), "ticket"));
            tally.wrong(what, excess, tickets.iter().map(|ticket| ticket.id.clone()));
        }
        for ticket in tickets.iter().filter(|ticket| ticket.queue.as_deref() != Some(self.queue)) {
            slips.elsewhere = true;
            let queue = ticket.queue.as_ref().map_or(self.no_queue(), |queue| format!("in queue `{queue}`"));
            tally.wrong(format!("ticket {} for {what} was opened {queue}", ticket.id), true, [ticket.id.clone()]);
        }
    }

    /// The double has no routing rules: a tag says which queue.
    fn no_queue(&self) -> String {
        format!("in no queue (a tag `queue_{}` names it)", self.queue)
    }

    /// A target whose tickets name no invoice: its tickets are counted against the customer's failed invoices.
    fn by_requester(
        &self,
        tally: &mut Tally<Counts>,
        slips: &mut Slips,
        person: &Person<'_>,
        tickets: &[&Ticket],
        invoices: u64,
    ) {
        tally.counts.by_requester = true;
        let times = match self.bound {
            Bound::Exactly(n) => Bound::Exactly(n * invoices),
            Bound::AtMost(n) => Bound::AtMost(n * invoices),
        };
        let noun = words::plural(invoices, "failed invoice");
        self.invoice(tally, slips, &format!("{} with {invoices} {noun}", person.words()), tickets, times);
    }
}

fn stray(tally: &mut Tally<Counts>, slips: &mut Slips, person: &Person<'_>, tickets: &[&Ticket], no_failure: bool) {
    if tickets.is_empty() {
        return;
    }
    // Beside failed invoices it is one more than they call for; without any, nothing called for it.
    slips.too_many |= !no_failure;
    slips.uncalled |= no_failure;
    let why = if no_failure { "has no failed invoice" } else { "has tickets for no failed invoice" };
    let what = format!("{} {why}, yet {} opened", person.words(), opened(tickets));
    tally.wrong(what, true, tickets.iter().map(|ticket| ticket.id.clone()));
}

impl Counts {
    fn words(&self) -> String {
        let how = if self.by_requester { " (some by customer, for their tickets name no invoice)" } else { "" };
        match self.invoices.is_empty() {
            true => "no failed invoice".to_owned(),
            false => {
                let spread = words::spread(self.invoices.iter().copied());
                format!("{}: {spread}{how}", words::count(self.invoices.len(), "failed invoice"))
            }
        }
    }
}

fn ids(tickets: &[&Ticket]) -> String {
    tickets.iter().map(|ticket| ticket.id.as_str()).collect::<Vec<_>>().join(", ")
}

fn opened(tickets: &[&Ticket]) -> String {
    let was = if tickets.len() == 1 { "was" } else { "were" };
    format!("{} ({}) {was}", words::count(tickets.len(), "ticket"), ids(tickets))
}
