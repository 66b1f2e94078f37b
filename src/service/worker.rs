//! A job's next call, in two halves: [`begin`] claims and says what to call, [`finish`] takes the answer in. The call
//! itself is made between the two, with no transaction open; the process may die there.
//!
//! Must not know: sockets, clocks.

use super::{
    account::{self, Account},
    config::Settings,
    defects::Defect,
    job::{Job, JobState, Lease, Step, Task},
    queue,
    store::{ContactRow, StoreError, Tx},
    upstream::{Call, CallResult},
};
use crate::time::Timestamp;

/// Claims the job that is ready first and answers its next call. Jobs that turn out to need none are completed on the way.
///
/// # Errors
/// The store's.
pub fn begin(
    tx: &mut Tx<'_>,
    now: Timestamp,
    owner: &str,
    settings: &Settings,
) -> Result<Option<(Lease, Call)>, StoreError> {
    while let Some((mut job, lease)) = queue::claim(tx, now, owner, settings)? {
        job.serves = job.generation;
        let call = match job.task.clone() {
            Task::Contact { email } => contact_call(tx, &mut job, &email)?,
            Task::LooseContact { email, .. } => loose_call(tx, &email)?,
            Task::Ticket { party, .. } => ticket_call(tx, &mut job, &party, settings)?,
        };
        if call.is_none() {
            job.complete(now);
        }
        tx.put_job(&job)?;
        if let Some(call) = call {
            return Ok(Some((lease, call)));
        }
    }
    Ok(None)
}

fn contact_call(tx: &mut Tx<'_>, job: &mut Job, email: &str) -> Result<Option<Call>, StoreError> {
    let Some(account) = account::of_email(tx, email)?.filter(Account::is_from_stripe) else { return Ok(None) };
    let fields = account.fields();
    let mut row = tx.contact(email)?.unwrap_or_default();
    let call = match (&row.id, job.step) {
        (Some(_), _) if row.written.as_ref() == Some(&fields) => return Ok(None),
        (Some(id), _) => Call::UpdateContact { id: id.clone(), fields: fields.clone() },
        (None, Step::First | Step::Find) => {
            Call::SearchContact { email: email.to_owned(), customers: account.customers().map(str::to_owned).collect() }
        }
        (None, Step::Create) => {
            let mut properties = fields.clone();
            properties.insert("email".to_owned(), email.to_owned());
            job.step = Step::Find;
            Call::CreateContact { properties }
        }
    };
    // Until the answer is here nobody knows what the CRM holds; an older value must not look confirmed.
    row.written = None;
    tx.put_contact(email, &row)?;
    job.sent = Some(fields);
    Ok(Some(call))
}

fn loose_call(tx: &mut Tx<'_>, email: &str) -> Result<Option<Call>, StoreError> {
    let Some(account) = account::of_email(tx, email)? else { return Ok(None) };
    let mut properties = account.fields();
    properties.insert("work_email".to_owned(), email.to_owned());
    Ok(Some(Call::CreateContact { properties }))
}

fn ticket_call(tx: &mut Tx<'_>, job: &mut Job, party: &str, settings: &Settings) -> Result<Option<Call>, StoreError> {
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

/// Whether an answer was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It was.
    Taken,
    /// The lease had ended and the job is in other hands: the answer is dropped, since whoever has it looks first.
    Stale,
}

/// Takes a call's answer in: next step, done, later or dead.
///
/// # Errors
/// The store's; the lease then runs out and the job is taken over.
pub fn finish(
    tx: &mut Tx<'_>,
    now: Timestamp,
    lease: &Lease,
    result: &CallResult,
    settings: &Settings,
) -> Result<Finished, StoreError> {
    let held = tx.job(lease.job)?.filter(|job| job.state == JobState::Running && job.claims == lease.claim);
    let Some(mut job) = held else { return Ok(Finished::Stale) };
    match job.task.clone() {
        Task::Contact { email } => contact_answer(tx, now, &mut job, &email, result, settings)?,
        Task::LooseContact { .. } | Task::Ticket { .. } => plain_answer(now, &mut job, result, settings),
    }
    tx.put_job(&job)?;
    Ok(Finished::Taken)
}

fn contact_answer(
    tx: &mut Tx<'_>,
    now: Timestamp,
    job: &mut Job,
    email: &str,
    result: &CallResult,
    settings: &Settings,
) -> Result<(), StoreError> {
    let mut row = tx.contact(email)?.unwrap_or_default();
    match result {
        CallResult::Found(None) => job.advance(Step::Create, now),
        CallResult::Found(Some(id)) | CallResult::Conflict(id) => {
            row = ContactRow { id: Some(id.clone()), written: None };
            job.advance(Step::First, now);
        }
        CallResult::Created(id) => {
            row = ContactRow { id: Some(id.clone()), written: job.sent.take() };
            job.complete(now);
        }
        CallResult::Updated => {
            row.written = job.sent.take();
            job.complete(now);
        }
        CallResult::Missing => {
            // Somebody deleted or merged the contact: look again, with a pause, since the search may still show it.
            row = ContactRow::default();
            job.step = Step::First;
            job.fail(now, None, "the contact is gone".to_owned(), &settings.backoff);
        }
        CallResult::Later { what, after } => job.fail(now, *after, what.clone(), &settings.backoff),
        CallResult::Rejected { what } => job.reject(now, what.clone()),
    }
    tx.put_contact(email, &row)
}

fn plain_answer(now: Timestamp, job: &mut Job, result: &CallResult, settings: &Settings) {
    match result {
        CallResult::Found(None) => job.advance(Step::Create, now),
        CallResult::Found(Some(_)) | CallResult::Created(_) | CallResult::Conflict(_) | CallResult::Updated => {
            job.complete(now);
        }
        CallResult::Missing => job.fail(now, None, "it is gone".to_owned(), &settings.backoff),
        CallResult::Later { what, after } => job.fail(now, *after, what.clone(), &settings.backoff),
        CallResult::Rejected { what } => job.reject(now, what.clone()),
    }
}
