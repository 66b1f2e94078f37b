//! The support desk: one ticket for each failed invoice, in the right queue, and none for those whose payments went through.
//!
//! Must not know: which desk it is.

use super::{
    case::{Case, EndState, Person},
    finding::{Finding, exceeds},
    owner::{mentions, ticket_texts},
    words,
};
use crate::{
    history::record::{Effect, Ticket},
    id::InvoiceId,
    scenario::criterion::Bound,
};
use std::collections::BTreeSet;

/// Tickets for each failed invoice.
pub(super) fn per_failed_invoice(case: &Case<'_>, bound: Bound, queue: &str) -> Finding {
    let expected = format!("{} for each failed invoice, in queue `{queue}`", words::bound(bound, "ticket"));
    let finding = Finding::expecting(expected);
    let mut tally = Tally::new(bound, queue);
    for end in &case.ends {
        let Some(ledger) = end.ledger else { continue };
        tally = Tally { ledgers: tally.ledgers, ..Tally::new(bound, queue) };
        tally.ledgers.push(ledger.n);
        for (index, person) in case.real_people() {
            tally.person(case, end, index, person);
        }
        if !tally.wrong.is_empty() {
            break;
        }
    }
    if tally.ledgers.is_empty() {
        let why = "the state of the support desk was not recorded at the end of a quiet phase".to_owned();
        return finding.seeing("no state of the desk").inconclusive(case.gap.clone().unwrap_or(why));
    }
    let finding = finding.seeing(tally.words()).evidence(tally.evidence(case)).about(tally.about);
    let reasons = words::few(&tally.wrong);
    match (tally.positive, tally.wrong.is_empty()) {
        (true, _) => finding.fail(reasons),
        (false, false) => finding.fail_if_whole(case, reasons),
        (false, true) if tally.counts.is_empty() => {
            finding.inconclusive("no customer of this run has a failed invoice, so this was not put to the test")
        }
        (false, true) => finding.pass_if_whole(case, "each failed invoice has as many tickets as asked for"),
    }
}

/// Tickets of all people at one end.
struct Tally<'c> {
    bound: Bound,
    queue: &'c str,
    ledgers: Vec<u64>,
    /// Tickets of each failed invoice.
    counts: Vec<u64>,
    wrong: Vec<String>,
    /// Whether something is there that must not be: evidence even when the run has a gap.
    positive: bool,
    offenders: BTreeSet<String>,
    by_requester: bool,
    about: Option<usize>,
}

impl<'c> Tally<'c> {
    fn new(bound: Bound, queue: &'c str) -> Self {
        Self {
            bound,
            queue,
            ledgers: Vec::new(),
            counts: Vec::new(),
            wrong: Vec::new(),
            positive: false,
            offenders: BTreeSet::new(),
            by_requester: false,
            about: None,
        }
    }

    fn person(&mut self, case: &Case<'_>, end: &EndState<'_>, index: usize, person: &Person<'_>) {
        let before = self.wrong.len();
        let tickets = &end.tickets[index];
        let invoices: Vec<&InvoiceId> = person.instances.iter().flat_map(|i| &i.failed_invoices).collect();
        let about =
            |ticket: &&Ticket, invoice: &InvoiceId| ticket_texts(ticket).any(|text| mentions(text, invoice.as_str()));
        let (named, others): (Vec<&Ticket>, Vec<&Ticket>) =
            tickets.iter().copied().partition(|ticket| invoices.iter().any(|invoice| about(ticket, invoice)));
        // Tickets that the story asks for besides (a dispute, a request) are no business of this criterion.
        let (extra, named_here) = (self.not_due(case, person, &others, &invoices), !named.is_empty());
        if named_here || extra.is_empty() {
            for invoice in &invoices {
                let of: Vec<&Ticket> = named.iter().copied().filter(|ticket| about(ticket, invoice)).collect();
                self.invoice(&format!("invoice {invoice}"), &of, self.bound);
            }
            self.stray(person, &extra, invoices.is_empty());
        } else if invoices.is_empty() {
            self.stray(person, &extra, true);
        } else {
            self.by_requester(person, &extra, invoices.len() as u64);
        }
        if self.wrong.len() > before {
            self.about = self.about.or(Some(index));
        }
    }

    /// Tickets beyond those that the person's stories ask for besides their failed invoices.
    fn not_due<'t>(
        &self,
        case: &Case<'_>,
        person: &Person<'_>,
        tickets: &[&'t Ticket],
        invoices: &[&InvoiceId],
    ) -> Vec<&'t Ticket> {
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
        extra
    }

    fn invoice(&mut self, what: &str, tickets: &[&Ticket], bound: Bound) {
        let count = tickets.len() as u64;
        self.counts.push(count);
        if !bound.holds(count) {
            let list = if count == 0 { String::new() } else { format!(" ({})", ids(tickets)) };
            self.wrong.push(format!("{what} has {}{list}", words::count(tickets.len(), "ticket")));
            self.positive |= exceeds(bound, count);
            self.offenders.extend(tickets.iter().map(|ticket| ticket.id.clone()));
        }
        for ticket in tickets.iter().filter(|ticket| ticket.queue.as_deref() != Some(self.queue)) {
            let queue = ticket.queue.as_ref().map_or(self.no_queue(), |queue| format!("in queue `{queue}`"));
            self.wrong.push(format!("ticket {} for {what} was opened {queue}", ticket.id));
            self.positive = true;
            self.offenders.insert(ticket.id.clone());
        }
    }

    /// The double has no routing rules: a tag says which queue.
    fn no_queue(&self) -> String {
        format!("in no queue (a tag `queue_{}` names it)", self.queue)
    }

    fn stray(&mut self, person: &Person<'_>, tickets: &[&Ticket], no_failure: bool) {
        if tickets.is_empty() {
            return;
        }
        let why = if no_failure { "has no failed invoice" } else { "has tickets for no failed invoice" };
        self.wrong.push(format!("{} {why}, yet {} opened", person.words(), opened(tickets)));
        self.positive = true;
        self.offenders.extend(tickets.iter().map(|ticket| ticket.id.clone()));
    }

    /// A target whose tickets name no invoice: its tickets are counted against the customer's failed invoices.
    fn by_requester(&mut self, person: &Person<'_>, tickets: &[&Ticket], invoices: u64) {
        self.by_requester = true;
        let times = match self.bound {
            Bound::Exactly(n) => Bound::Exactly(n * invoices),
            Bound::AtMost(n) => Bound::AtMost(n * invoices),
        };
        let noun = words::plural(invoices, "failed invoice");
        self.invoice(&format!("{} with {invoices} {noun}", person.words()), tickets, times);
    }

    fn words(&self) -> String {
        let how = if self.by_requester { " (some by customer, for their tickets name no invoice)" } else { "" };
        match self.counts.is_empty() {
            true => "no failed invoice".to_owned(),
            false => {
                let spread = words::spread(self.counts.iter().copied());
                format!("{}: {spread}{how}", words::count(self.counts.len(), "failed invoice"))
            }
        }
    }

    /// Calls that opened the tickets in question, then the state that was counted.
    fn evidence(&self, case: &Case<'_>) -> Vec<u64> {
        let opened = case.seen.calls.iter().filter(|call| {
            call.what
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::TicketCreated { ticket, .. } if self.offenders.contains(ticket)))
        });
        opened.map(|call| call.n).take(super::MOST_EVIDENCE - 1).chain(self.ledgers.last().copied()).collect()
    }
}

fn ids(tickets: &[&Ticket]) -> String {
    tickets.iter().map(|ticket| ticket.id.as_str()).collect::<Vec<_>>().join(", ")
}

fn opened(tickets: &[&Ticket]) -> String {
    let was = if tickets.len() == 1 { "was" } else { "were" };
    format!("{} ({}) {was}", words::count(tickets.len(), "ticket"), ids(tickets))
}
