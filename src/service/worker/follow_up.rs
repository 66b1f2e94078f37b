//! The job that leaves the people at the CRM one task: a subscription ended, an invoice could not be collected.
//!
//! HubSpot keeps no property of a task unique, so the task carries our key and is searched by it before a second attempt. The
//! search lags: after an attempt that may have taken effect (a crash, a lost answer) it is asked only when everything that can
//! have been written must show. Until then the job waits, which is no failure.
//! Must not know: sockets, clocks.

use crate::{
    service::{
        account::{self, Account},
        config::Settings,
        defects::Defect,
        job::{FollowUp, Job, Step, Task},
        queue,
        store::{ContactRow, StoreError, Tx},
        upstream::{Call, CallResult},
    },
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

/// Where a job keeps from when on an empty search proves that there is nothing, Unix milliseconds.
const SEARCH_FROM: &str = "search_from_ms";

pub(super) fn call(
    tx: &mut Tx<'_>,
    now: Timestamp,
    job: &mut Job,
    settings: &Settings,
) -> Result<Option<Call>, StoreError> {
    let Task::FollowUp { about, party } = job.task.clone() else { return Ok(None) };
    let Some(account) = account::of_party(tx, &party)? else { return Ok(None) };
    let looks = !settings.defects.has(Defect::TaskNotSearched);
    if looks && job.step == Step::Find {
        return Ok(match search_from(job).filter(|from| now < *from) {
            Some(from) => {
                job.postpone(from);
                None
            }
            None => Some(Call::FindTask { key: about.key() }),
        });
    }
    // Another subscription took its place: the customer did not go.
    if job.step == Step::First && matches!(about, FollowUp::Churn(_)) && account.access() {
        return Ok(None);
    }
    let contact = contact(tx, &account)?;
    if contact.is_none() && !account.emails().is_empty() {
        job.fail(now, None, "its contact is not in the CRM yet".to_owned(), &settings.backoff);
        return Ok(None);
    }
    job.step = Step::Find;
    // Under way until the lease ends at the latest, whatever becomes of this process.
    trust_search_from(job, now + settings.lease, settings.search_lag);
    let (subject, body) = words(&about, &account);
    Ok(Some(Call::CreateTask { key: about.key(), subject, body, due: now, contact: contact.map(|(_, id)| id) }))
}

pub(super) fn answer(
    tx: &mut Tx<'_>,
    now: Timestamp,
    job: &mut Job,
    result: &CallResult,
    settings: &Settings,
) -> Result<(), StoreError> {
    match result {
        // Of a create, which is the one whose time has not come; a search that failed made nothing.
        CallResult::Later { .. } if search_from(job).is_some_and(|from| now < from) => {
            trust_search_from(job, now, settings.search_lag);
        }
        CallResult::Missing => forget_contact(tx, now, job)?,
        CallResult::Later { .. }
        | CallResult::Found(_)
        | CallResult::Created(_)
        | CallResult::Conflict(_)
        | CallResult::Updated
        | CallResult::Seen(_)
        | CallResult::Rejected { .. } => {}
    }
    super::plain_answer(now, job, result, settings);
    Ok(())
}

/// Somebody deleted the contact that the task was to stand beside: it is looked up anew, and nothing was made.
fn forget_contact(tx: &mut Tx<'_>, now: Timestamp, job: &mut Job) -> Result<(), StoreError> {
    let Task::FollowUp { party, .. } = &job.task else { return Ok(()) };
    let Some(account) = account::of_party(tx, party)? else { return Ok(()) };
    if let Some((email, _)) = contact(tx, &account)? {
        tx.put_contact(&email, &ContactRow::default())?;
        queue::enqueue(tx, now, Task::Contact { email })?;
    }
    job.step = Step::Create;
    Ok(())
}

fn search_from(job: &Job) -> Option<Timestamp> {
    let text = job.sent.as_ref()?.get(SEARCH_FROM)?;
    text.parse().ok().map(Timestamp::from_millis)
}

fn trust_search_from(job: &mut Job, ended: Timestamp, lag: Duration) {
    let from = (ended + lag).millis().to_string();
    job.sent = Some(BTreeMap::from([(SEARCH_FROM.to_owned(), from)]));
}

/// E-mail and CRM id of the account's contact, once it has one.
fn contact(tx: &mut Tx<'_>, account: &Account) -> Result<Option<(String, String)>, StoreError> {
    for email in account.contact_emails(tx)? {
        if let Some(id) = tx.contact(&email)?.and_then(|row| row.id) {
            return Ok(Some((email, id)));
        }
    }
    Ok(None)
}

fn words(about: &FollowUp, account: &Account) -> (String, String) {
    let customer = account.customer().unwrap_or("unknown");
    match about {
        FollowUp::Churn(subscription) => (
            format!("Subscription {subscription} has ended"),
            format!("Customer {customer} has no access any more. Ask why they left."),
        ),
        FollowUp::FailedPayment(invoice) => (
            format!("Payment failed for invoice {invoice}"),
            format!("Customer {customer} may need another card. Stripe may try again by itself."),
        ),
    }
}
