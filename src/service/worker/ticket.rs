//! The job that opens the one ticket of an invoice that could not be collected.
//!
//! Must not know: sockets, clocks.

use crate::service::{
    account,
    config::Settings,
    defects::Defect,
    job::{Job, Step, Task},
    store::{StoreError, Tx},
    upstream::Call,
};

pub(super) fn call(
    tx: &mut Tx<'_>,
    job: &mut Job,
    party: &str,
    settings: &Settings,
) -> Result<Option<Call>, StoreError> {
    // No such party: only a job that was visible before its state, and that service drops it (defect 29).
    let Some(account) = account::of_party(tx, party)? else { return Ok(None) };
    let external_id = job.task.external_id();
    let keyed = !settings.defects.has(Defect::TicketNotKeyed);
    if keyed && job.step == Step::Find {
        return Ok(Some(Call::FindTicket { external_id }));
    }
    // Whatever becomes of this attempt, the next one looks first.
    job.step = Step::Find;
    let Task::Ticket { invoice, .. } = &job.task else { return Ok(None) };
    let customer = account.customer().unwrap_or("unknown").to_owned();
    Ok(Some(Call::CreateTicket {
        external_id,
        keyed,
        subject: format!("Payment failed for invoice {invoice}"),
        body: format!("Invoice {invoice} of customer {customer} could not be collected. Stripe may try again."),
        tags: vec!["queue_billing".to_owned(), "payment_failed".to_owned()],
        requester: account.emails().first().map(|email| (*email).to_owned()),
    }))
}
