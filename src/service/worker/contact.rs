//! The job that brings the CRM contact of an e-mail in line with its account.
//!
//! Must not know: sockets, clocks.

use crate::{
    service::{
        account::{self, Account},
        config::Settings,
        defects::Defect,
        job::{Job, Step},
        store::{ContactRow, StoreError, Tx},
        upstream::{Call, CallResult},
    },
    time::Timestamp,
};

pub(super) fn call(
    tx: &mut Tx<'_>,
    job: &mut Job,
    email: &str,
    settings: &Settings,
) -> Result<Option<Call>, StoreError> {
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
            let unique = !settings.defects.has(Defect::EmailNotUnique);
            properties.insert(if unique { "email" } else { "work_email" }.to_owned(), email.to_owned());
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

pub(super) fn loose_call(tx: &mut Tx<'_>, email: &str) -> Result<Option<Call>, StoreError> {
    let Some(account) = account::of_email(tx, email)? else { return Ok(None) };
    let mut properties = account.fields();
    properties.insert("work_email".to_owned(), email.to_owned());
    Ok(Some(Call::CreateContact { properties }))
}

pub(super) fn answer(
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
        CallResult::Conflict(_) if settings.defects.has(Defect::ConflictIsFailure) => {
            job.reject(now, "the contact exists already".to_owned());
        }
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
        CallResult::Seen(_) => job.fail(now, None, "the answer to another call".to_owned(), &settings.backoff),
        CallResult::Later { what, after } => job.fail(now, *after, what.clone(), &settings.backoff),
        CallResult::Rejected { what } => job.reject(now, what.clone()),
    }
    tx.put_contact(email, &row)
}
