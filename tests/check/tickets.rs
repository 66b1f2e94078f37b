//! Tickets for each failed invoice.

use super::script::{Script, ticket};
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    scenario::criterion::{Bound, Criterion},
};

fn one() -> Criterion {
    Criterion::TicketsPerFailedInvoice { bound: Bound::Exactly(1), queue: "billing".into() }
}

/// Two customers, the first with two failed invoices and two right tickets.
fn failed() -> Script {
    let mut script = Script::sound(2);
    script.plan.instances[0].failed_invoices = vec!["in_1A".into(), "in_1B".into()];
    script.plan.instances[0].end.as_mut().expect("an end").tickets = [("billing".to_owned(), 2)].into();
    script.ledgers(|_, tickets| {
        tickets.push(ticket("1", Some("dunning:in_1A"), Some("billing"), 1));
        tickets.push(ticket("2", Some("dunning:in_1B"), Some("billing"), 1));
    });
    script
}

#[test]
fn one_ticket_for_each_failed_invoice() {
    assert_eq!(failed().is(one(), Pass).seen, "2 failed invoices: 2 with 1");
    let mut twice = failed();
    twice.ledgers(|_, tickets| tickets.push(ticket("3", Some("again_in_1A"), Some("billing"), 1)));
    let verdict = twice.is(one(), Fail);
    assert_eq!(verdict.why, "invoice in_1A has 2 tickets (1, 3)");
    twice.cut_short();
    twice.is(one(), Fail);
    let mut none = failed();
    none.ledgers(|_, tickets| tickets.truncate(1));
    assert_eq!(none.is(one(), Fail).seen, "2 failed invoices: 1 with 0, 1 with 1");
    none.cut_short();
    none.is(one(), Inconclusive);
}

#[test]
fn the_wrong_queue_fails() {
    let mut script = failed();
    script.ledgers(|_, tickets| tickets[0].queue = Some("sales".into()));
    assert_eq!(script.is(one(), Fail).why, "ticket 1 for invoice in_1A was opened in queue `sales`");
    script.ledgers(|_, tickets| tickets[0].queue = None);
    let why = "ticket 1 for invoice in_1A was opened in no queue (a tag `queue_billing` names it)";
    assert_eq!(script.is(one(), Fail).why, why);
}

#[test]
fn a_ticket_for_somebody_without_a_failed_invoice_fails() {
    let mut script = failed();
    script.ledgers(|_, tickets| tickets.push(ticket("3", None, Some("billing"), 2)));
    assert_eq!(
        script.is(one(), Fail).why,
        "buyer2@example.com (buy/2) has no failed invoice, yet 1 ticket (3) was opened"
    );
    // Unless their story asks for it, for another reason.
    script.plan.instances[1].end.as_mut().expect("an end").tickets = [("billing".to_owned(), 1)].into();
    script.is(one(), Pass);
}

#[test]
fn tickets_that_name_no_invoice_count_by_customer() {
    let mut script = failed();
    script.ledgers(|_, tickets| tickets.iter_mut().for_each(|ticket| ticket.external_id = None));
    // What the written truth allows besides is not known then, so the failed invoices alone count.
    script.plan.instances[0].end.as_mut().expect("an end").tickets.clear();
    assert!(script.is(one(), Pass).seen.contains("by customer"));
    script.ledgers(|_, tickets| tickets.push(ticket("3", None, Some("billing"), 1)));
    assert!(script.is(one(), Fail).why.contains("with 2 failed invoices has 3 tickets (1, 2, 3)"));
}

#[test]
fn no_failed_invoice_shows_nothing() {
    Script::sound(1).is(one(), Inconclusive);
    let mut unable = failed();
    unable.unable("support");
    unable.is(one(), Inconclusive);
}
