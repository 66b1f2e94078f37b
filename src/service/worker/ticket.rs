//! The job that opens the one ticket of an invoice that could not be collected, or of a disputed payment.
//!
//! Must not know: sockets, clocks.

use crate::service::{
    account::{self, Account},
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
    let Some(Words { subject, body, tag }) = words(&job.task, &account) else { return Ok(None) };
    Ok(Some(Call::CreateTicket {
        external_id,
        keyed,
        subject,
        body,
        tags: vec!["queue_billing".to_owned(), tag.to_owned()],
        requester: account.emails().first().map(|email| (*email).to_owned()),
    }))
}

struct Words {
    subject: String,
    body: String,
    tag: &'static str,
}

fn words(task: &Task, account: &Account) -> Option<Words> {
    let customer = account.customer().unwrap_or("unknown");
    match task {
        Task::Ticket { invoice, .. } => Some(Words {
            subject: format!("Payment failed for invoice {invoice}"),
            body: format!("Invoice {invoice} of customer {customer} could not be collected. Stripe may try again."),
            tag: "payment_failed",
        }),
        Task::Dispute { dispute, .. } => {
            let claim = account.disputes().find(|(id, _)| id == dispute).map(|(_, claim)| claim);
            let money = claim.and_then(|claim| claim.money.as_ref());
            let amount = money.map(|money| format!(" of {money}")).unwrap_or_default();
            Some(Words {
                subject: format!("Payment disputed by customer {customer}"),
                body: format!(
                    "Dispute {dispute}{amount} by customer {customer}. Access stays until it is decided; evidence is due in \
                     Stripe's dashboard."
                ),
                tag: "dispute",
            })
        }
        Task::Contact { .. }
        | Task::LooseContact { .. }
        | Task::FollowUp { .. }
        | Task::Request { .. }
        | Task::Onboarding { .. }
        | Task::Reconcile
        | Task::Audit
        | Task::Tickets
        | Task::Activation { .. }
        | Task::Alert { .. } => None,
    }
}
