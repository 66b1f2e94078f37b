//! What can be asked of the service: one customer's state, and how far behind it is.
//!
//! Must not know: HTTP, how a state came to be.

use super::{
    account::{self, Account, Flag},
    job::{Job, JobState, Task},
    store::{Identity, StoreError, Tx},
    support::requests,
    trail::{self, Entry},
};
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

/// One customer's state, as `GET /api/customers/{id}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomerView {
    /// Stripe customer id; of several, the one whose subscription leads.
    pub customer: Option<String>,
    /// The app's own user id.
    pub user: Option<String>,
    /// E-mail to write to.
    pub email: Option<String>,
    /// Whether the door is open.
    pub access: bool,
    /// Subscription status, `none` without one.
    pub status: String,
    /// Plan tier, `none` without one.
    pub plan: String,
    /// Newest payment, UTC.
    pub paid_at: Option<String>,
    /// How much it was: `49.00 USD`, `4900 JPY`.
    pub paid: Option<String>,
    /// The same as Stripe sends it, in the smallest unit of its currency; 0 without a payment.
    pub paid_minor: i64,
    /// End of the period, UTC.
    pub period_end: Option<String>,
    /// The CRM's id of the contact.
    pub crm_contact: Option<String>,
    /// Tickets for failed and disputed payments: `none`, `pending` (to be opened), `open` or `failed` (given up).
    pub support_status: &'static str,
    /// Settled Checkouts.
    pub purchases: u64,
    /// What a person at the desk should know.
    pub flags: BTreeSet<Flag>,
}

/// How far behind the service is, as `GET /internal/status` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// Jobs waiting or running.
    pub pending: u64,
    /// Jobs given up.
    pub dead: u64,
    /// Contacts that should say something else, with no job to make them; and subscribers tied to nobody.
    pub drift: u64,
    /// Requests to support in no queue; the sound service gives every ticket one.
    pub unrouted: u64,
    /// Distinct events stored.
    pub events: u64,
}

/// The same without what only a look at every account tells, as `GET /internal/status?brief` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BriefView {
    /// Jobs waiting or running.
    pub pending: u64,
    /// Jobs given up.
    pub dead: u64,
    /// Requests to support in no queue; the sound service gives every ticket one.
    pub unrouted: u64,
    /// Distinct events stored.
    pub events: u64,
}

/// A job that was given up, as `GET /internal/dead` shows it: no message, no address, no answer of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadView {
    /// Its number, to put it back to work.
    pub job: u64,
    /// What it was for: `contact`, `ticket`, `task`, `request`, `onboarding`, `alert`, …
    pub kind: &'static str,
    /// What it is about: a Stripe id or the id of a request; nothing where that would be an e-mail.
    pub about: Option<String>,
    /// Attempts since it was last put to work.
    pub attempts: u32,
    /// The last failure.
    pub error: Option<String>,
    /// Refused for good: it is not tried again by itself.
    pub rejected: bool,
    /// When it is tried again by itself, UTC.
    pub again: Option<String>,
}

/// Jobs that were given up, by number.
///
/// # Errors
/// The store's.
pub fn dead(tx: &mut Tx<'_>) -> Result<Vec<DeadView>, StoreError> {
    let view = |job: Job| DeadView {
        kind: kind(&job.task),
        about: about(&job.task),
        attempts: job.attempts,
        again: job.ready().map(|at| at.to_string()),
        job: job.id,
        rejected: job.rejected,
        error: job.error,
    };
    Ok(tx.dead_jobs()?.into_iter().map(view).collect())
}

const fn kind(task: &Task) -> &'static str {
    match task {
        Task::Contact { .. } | Task::LooseContact { .. } => "contact",
        Task::Ticket { .. } | Task::Dispute { .. } => "ticket",
        Task::FollowUp { .. } => "task",
        Task::Request { .. } => "request",
        Task::Onboarding { .. } => "onboarding",
        Task::Reconcile => "reconcile",
        Task::Audit => "audit",
        Task::Tickets => "tickets",
        Task::Activation { .. } => "activation",
        Task::Alert { .. } => "alert",
    }
}

fn about(task: &Task) -> Option<String> {
    match task {
        Task::Contact { .. } | Task::LooseContact { .. } | Task::Reconcile | Task::Audit | Task::Tickets => None,
        Task::Activation { session } => Some(session.clone()),
        Task::Alert { raised } => Some(raised.clone()),
        Task::Ticket { invoice, .. } => Some(invoice.to_string()),
        Task::Dispute { dispute, .. } => Some(dispute.clone()),
        Task::FollowUp { about, .. } => Some(about.key()),
        Task::Request { request } => Some(request.clone()),
        Task::Onboarding { party } => Some(party.clone()),
    }
}

/// The account of a Stripe customer id or of the app's user id.
///
/// # Errors
/// The store's.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Account>, StoreError> {
    if let Some(account) = account::of_party(tx, id)? {
        return Ok(Some(account));
    }
    match tx.linked(Identity::User, id)?.first() {
        Some(party) => account::of_party(tx, party),
        None => Ok(None),
    }
}

/// One customer's state.
///
/// # Errors
/// The store's.
pub fn customer(tx: &mut Tx<'_>, id: &str) -> Result<Option<CustomerView>, StoreError> {
    let Some(account) = find(tx, id)? else { return Ok(None) };
    let mut contact = None;
    for email in account.contact_emails(tx)? {
        contact = contact.or(tx.contact(&email)?.and_then(|row| row.id));
    }
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    Ok(Some(CustomerView {
        customer: account.customer().map(str::to_owned),
        user: account.user().map(str::to_owned),
        email: account.emails().first().map(|email| (*email).to_owned()),
        access: account.access(),
        status: account.status().to_owned(),
        plan: account.plan(),
        paid_at: time(account.paid_at()),
        paid_minor: account.last_payment().and_then(|(_, money)| money).map_or(0, |money| money.minor),
        paid: account.last_payment().and_then(|(_, money)| money).map(ToString::to_string),
        period_end: time(account.period_end()),
        crm_contact: contact,
        support_status: support(tx, &account)?,
        purchases: account.purchases(),
        flags: account.flags(),
    }))
}

/// The changes of one customer's state, oldest first; `None` when nobody is known by that id.
///
/// # Errors
/// The store's.
pub fn history(tx: &mut Tx<'_>, id: &str) -> Result<Option<Vec<Entry>>, StoreError> {
    match find(tx, id)? {
        Some(account) => trail::of_account(tx, &account).map(Some),
        None => Ok(None),
    }
}

fn support(tx: &mut Tx<'_>, account: &Account) -> Result<&'static str, StoreError> {
    let mut states = BTreeSet::new();
    let party = String::new;
    let failed = account.failed().map(|invoice| Task::Ticket { invoice: invoice.clone(), party: party(), nonce: None });
    let disputed = account.disputes().map(|(id, _)| Task::Dispute { dispute: id.to_owned(), party: party() });
    for task in failed.chain(disputed) {
        states.extend(tx.job_by_key(&task.key())?.map(|job| job.state));
    }
    Ok(if states.contains(&JobState::Waiting) || states.contains(&JobState::Running) {
        "pending"
    } else if states.contains(&JobState::Dead) {
        "failed"
    } else if states.contains(&JobState::Done) {
        "open"
    } else {
        "none"
    })
}

/// Whether the account of a Checkout session has its access; an unknown session has none.
///
/// # Errors
/// The store's.
pub fn is_active(tx: &mut Tx<'_>, session: &str) -> Result<bool, StoreError> {
    let Some(party) = tx.linked(Identity::Session, session)?.into_iter().next() else { return Ok(false) };
    Ok(account::of_party(tx, &party)?.is_some_and(|account| account.access()))
}

/// How far behind the service is. It looks at every account: not for asking again and again.
///
/// # Errors
/// The store's.
pub fn status(tx: &mut Tx<'_>) -> Result<StatusView, StoreError> {
    let BriefView { pending, dead, unrouted, events } = brief(tx)?;
    Ok(StatusView { pending, dead, drift: drift(tx)?, unrouted, events })
}

/// How far behind the service is, by what it counts anyway.
///
/// # Errors
/// The store's.
pub fn brief(tx: &mut Tx<'_>) -> Result<BriefView, StoreError> {
    let counts = tx.job_counts()?;
    Ok(BriefView {
        pending: counts.pending,
        dead: counts.dead,
        unrouted: requests::unrouted(tx)?,
        events: tx.event_count()?,
    })
}

fn drift(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    let mut seen = BTreeSet::new();
    let mut emails: BTreeSet<String> = tx.contact_emails()?.into_iter().collect();
    let mut drift = 0;
    for id in tx.party_ids()? {
        if seen.contains(&id) {
            continue;
        }
        let Some(account) = account::of_party(tx, &id)?.filter(Account::is_from_stripe) else { continue };
        // A payment leads to its customer's account, which may have had its turn.
        if account.parties.keys().any(|party| seen.contains(party)) {
            continue;
        }
        emails.extend(account.contact_emails(tx)?);
        let subscribed = account.parties.values().any(|party| !party.subscriptions.is_empty());
        drift += u64::from(subscribed && account.user().is_none() && account.emails().is_empty());
        seen.extend(account.parties.into_keys());
    }
    for email in emails {
        drift += u64::from(is_behind(tx, &email)?);
    }
    Ok(drift)
}

fn is_behind(tx: &mut Tx<'_>, email: &str) -> Result<bool, StoreError> {
    let Some(account) = account::of_email(tx, email)? else { return Ok(false) };
    let written = tx.contact(email)?.and_then(|row| row.written);
    let job = tx.job_by_key(&Task::Contact { email: email.to_owned() }.key())?;
    Ok(written != Some(account.fields()) && !job.is_some_and(|job| job.is_pending()))
}
