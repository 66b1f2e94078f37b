//! One event into the store: the event, the state that it changes and the jobs that follow, in one transaction.
//!
//! Must not know: HTTP, signatures, clocks, downstream services.

use super::{
    account::{self, Account},
    alerts,
    config::Settings,
    core::Incoming,
    defects::Defect,
    job::Task,
    queue,
    reading::{self, Fact, Reading},
    state::Party,
    store::{ContactRow, Identity, StoreError, Tx},
};
use crate::{stripe::event::Event, time::Timestamp};
use std::sync::Arc;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The event was known already; nothing was done.
    pub duplicate: bool,
}

/// The parts of taking an event in. The sound service does all in one transaction; some defects tear them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Stop when the event is known.
    pub check: bool,
    /// Write the event.
    pub mark: bool,
    /// Change the state.
    pub apply: bool,
    /// Write the jobs.
    pub jobs: bool,
}

impl Parts {
    /// Everything.
    pub const ALL: Self = Self { check: true, mark: true, apply: true, jobs: true };
}

/// Takes one event in. A known one changes nothing: its first delivery committed all of this.
///
/// # Errors
/// The store's; nothing is kept then, and the delivery must not be acknowledged.
pub fn ingest(
    tx: &mut Tx<'_>,
    now: Timestamp,
    settings: &Settings,
    incoming: &Incoming,
    parts: Parts,
) -> Result<Accepted, StoreError> {
    let event = &incoming.event;
    let before = tx.deliveries(event.id.as_str())?;
    let deliveries = if parts.mark { tx.record_event(event, now)? } else { before };
    if parts.check && before > 0 && !settings.defects.has(Defect::NoDedupe) {
        return Ok(Accepted { duplicate: true });
    }
    if is_foreign(event, settings) {
        return Ok(Accepted { duplicate: false });
    }
    let Some(reading) = incoming.reading() else { return Ok(Accepted { duplicate: false }) };
    let repeat = parts.mark && deliveries > 1;
    let new = settings.alerting.is_some() && tx.party(&reading.party)?.is_none_or(|party| !party.from_stripe);
    if parts.apply {
        learn(tx, reading, event.created, repeat, settings)?;
    }
    if parts.jobs {
        let nonce = repeat.then(|| deliveries.to_string());
        let account = enqueue(tx, now, settings, event, reading, nonce)?;
        alerts::watch(tx, now, settings, (reading, new), account.as_ref())?;
    }
    Ok(Accepted { duplicate: false })
}

/// Another mode's or a connected account's event: stored and acknowledged, never applied (bug class 63).
pub(super) fn is_foreign(event: &Event, settings: &Settings) -> bool {
    event.account.is_some() || settings.livemode.is_some_and(|mode| mode != event.livemode)
}

fn learn(tx: &mut Tx<'_>, reading: &Reading, at: i64, repeat: bool, settings: &Settings) -> Result<(), StoreError> {
    let mut party = tx.party(&reading.party)?.map(Arc::unwrap_or_clone).unwrap_or_default();
    party.learn(reading, at, repeat, &settings.defects);
    tx.put_party(&reading.party, &party)?;
    for (identity, key) in
        [(Identity::User, &reading.user), (Identity::Email, &reading.email), (Identity::Session, &reading.session)]
    {
        if let Some(key) = key {
            tx.link(identity, key, &reading.party)?;
        }
    }
    Ok(())
}

fn enqueue(
    tx: &mut Tx<'_>,
    now: Timestamp,
    settings: &Settings,
    event: &Event,
    reading: &Reading,
    nonce: Option<String>,
) -> Result<Option<Account>, StoreError> {
    let account = account::of_party(tx, &reading.party)?;
    let mut emails = match &account {
        Some(account) => account.contact_emails(tx)?,
        None => reading.email.iter().cloned().collect(),
    };
    if settings.defects.has(Defect::ContactOnEveryEvent) {
        for email in emails.drain(..) {
            let event = format!("{}{}", event.id, nonce.as_deref().unwrap_or_default());
            queue::enqueue(tx, now, Task::LooseContact { email, event })?;
        }
    }
    enqueue_contacts(tx, now, emails)?;
    if let Fact::InvoiceFailed(invoice) = &reading.fact {
        let task = Task::Ticket { invoice: invoice.clone(), party: reading.party.clone(), nonce };
        queue::enqueue(tx, now, task)?;
    }
    Ok(account)
}

/// The contact rows are made here, not by the worker: from now on the account keeps to these e-mails, so that another one,
/// learned before the first call, does not become a second contact.
fn enqueue_contacts(tx: &mut Tx<'_>, now: Timestamp, emails: Vec<String>) -> Result<(), StoreError> {
    for email in emails {
        if tx.contact(&email)?.is_none() {
            tx.put_contact(&email, &ContactRow::default())?;
        }
        queue::enqueue(tx, now, Task::Contact { email })?;
    }
    Ok(())
}

/// A person signs up: answers whether they are new. Signing up again changes nothing.
///
/// # Errors
/// The store's.
pub fn sign_up(tx: &mut Tx<'_>, now: Timestamp, user: &str, email: &str) -> Result<bool, StoreError> {
    let (id, email) = (reading::user_party(user), reading::fold_email(email));
    let known = tx.party(&id)?;
    let new = known.is_none();
    let mut party: Party = known.map(Arc::unwrap_or_clone).unwrap_or_default();
    party.signed_up(user, &email);
    tx.put_party(&id, &party)?;
    tx.link(Identity::User, user, &id)?;
    tx.link(Identity::Email, &email, &id)?;
    if let Some(account) = account::of_party(tx, &id)?.filter(account::Account::is_from_stripe) {
        let emails = account.contact_emails(tx)?;
        enqueue_contacts(tx, now, emails)?;
    }
    Ok(new)
}
