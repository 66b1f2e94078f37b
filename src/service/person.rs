//! What a person sees and may do: whether they can sign up, where their purchase stands, what they pay for.
//!
//! Nothing here grants anything: access is a function of Stripe's events alone. Must not know: HTTP, pages, clocks.

use super::{
    account::{self, Account, Flag},
    ingest,
    reading::CheckoutEnd,
    status,
    store::{Identity, Shelf, StoreError, Tx},
};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest that a Checkout session stays open, seconds (Stripe's API reference, "Create a Checkout Session").
const SESSION_OPEN_SECS: i64 = 24 * 60 * 60;
/// How long a cancellation that was asked for is shown as such while its event has not come, seconds.
const CANCEL_SHOWN_SECS: i64 = 60 * 60;

/// A person's Checkouts, as far as they were opened here; on the shelf under `user:<id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Visits {
    /// The browser that signed up first; another one must not take the name over.
    visitor: String,
    /// Sessions opened so far.
    opened: u64,
    /// The newest session and when it was opened, Unix seconds.
    session: Option<(String, i64)>,
}

/// Whether a person may go to Checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Somebody else signed up under this name.
    Taken,
    /// They have what they would buy.
    Active,
    /// To Checkout.
    Go {
        /// Their Stripe customer, when there is one.
        customer: Option<String>,
        /// Sessions opened so far.
        opened: u64,
        /// A session that may still be open or paid.
        session: Option<String>,
    },
}

/// Where a Checkout session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Paid, and the door is open.
    Active,
    /// Not heard of, or heard and not yet open.
    Pending,
    /// A payment failed.
    Failed,
    /// It was never paid and its time is over.
    Expired,
    /// That is no session at all.
    Unknown,
}

/// What a person pays for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Billing {
    /// Whether the door is open.
    pub access: bool,
    /// Stripe's status, `none` without a subscription.
    pub status: String,
    /// Plan tier.
    pub plan: String,
    /// End of the period.
    pub period_end: Option<Timestamp>,
    /// When it ends for good, once that is known.
    pub ends: Option<Timestamp>,
    /// Newest payment.
    pub paid_at: Option<Timestamp>,
    /// E-mail to write to.
    pub email: Option<String>,
    /// The subscription that can be cancelled.
    pub subscription: Option<String>,
    /// A cancellation was asked for and its event has not come.
    pub cancelling: bool,
    /// A Checkout was opened and nothing was heard of it.
    pub awaited: Option<String>,
}

/// Whether somebody may chat, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entitlement {
    /// Whether they may.
    pub entitled: bool,
    /// `active`, `no_plan`, `payment_failed`, `canceled`, `refunded` or `anonymous`.
    pub reason: &'static str,
}

fn visits(tx: &mut Tx<'_>, user: &str) -> Result<Option<Visits>, StoreError> {
    let text = tx.doc(Shelf::Checkout, &format!("user:{user}"))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn put_visits(tx: &mut Tx<'_>, user: &str, visits: &Visits) -> Result<(), StoreError> {
    let text = serde_json::to_string(visits).map_err(|error| StoreError::Refuse(error.to_string()))?;
    tx.put_doc(Shelf::Checkout, &format!("user:{user}"), &text)
}

/// A person signs up in a browser that is known as `visitor`, or as the person themselves.
///
/// # Errors
/// The store's.
pub fn start(
    tx: &mut Tx<'_>,
    now: Timestamp,
    user: &str,
    email: &str,
    visitor: &str,
    proven: bool,
) -> Result<Start, StoreError> {
    let held = visits(tx, user)?;
    let account = status::find(tx, user)?;
    let own = proven || held.as_ref().is_some_and(|held| held.visitor == visitor);
    if !own && (held.is_some() || account.is_some()) {
        return Ok(Start::Taken);
    }
    let held = match held {
        Some(held) => held,
        None => {
            let new = Visits { visitor: visitor.to_owned(), ..Visits::default() };
            put_visits(tx, user, &new)?;
            new
        }
    };
    sign_up(tx, now, user, email, visitor)?;
    if account.as_ref().is_some_and(Account::access) {
        return Ok(Start::Active);
    }
    let customer = account.as_ref().and_then(|account| account.customers().next()).map(str::to_owned);
    let fresh = |at: i64| now.secs().saturating_sub(at) < SESSION_OPEN_SECS;
    let session = held.session.filter(|(_, at)| fresh(*at)).map(|(id, _)| id);
    Ok(Start::Go { customer, opened: held.opened, session })
}

/// The one call site of a sign-up from a page: the anonymous chat of this browser becomes the person's.
fn sign_up(tx: &mut Tx<'_>, now: Timestamp, user: &str, email: &str, chat: &str) -> Result<bool, StoreError> {
    ingest::sign_up(tx, now, user, email, Some(chat))
}

/// Notes that the session was opened for the person, as their number `opened`.
///
/// # Errors
/// The store's.
pub fn opened(tx: &mut Tx<'_>, now: Timestamp, user: &str, session: &str, opened: u64) -> Result<(), StoreError> {
    let mut held = visits(tx, user)?.unwrap_or_default();
    held.opened = held.opened.max(opened + 1);
    held.session = Some((session.to_owned(), now.secs()));
    put_visits(tx, user, &held)?;
    tx.put_doc(Shelf::Checkout, &format!("session:{session}"), &now.secs().to_string())
}

/// Where a session stands.
///
/// # Errors
/// The store's.
pub fn activation(tx: &mut Tx<'_>, now: Timestamp, session: &str) -> Result<Activation, StoreError> {
    if !session.starts_with("cs_") || !super::upstream::stripe::is_id(session) {
        return Ok(Activation::Unknown);
    }
    if let Some(party) = tx.linked(Identity::Session, session)?.into_iter().next() {
        let account = account::of_party(tx, &party)?.unwrap_or_default();
        let due = account.flags().iter().any(|flag| matches!(flag, Flag::PaymentDue | Flag::WrittenOff));
        return Ok(match account.checkout(session) {
            _ if account.access() => Activation::Active,
            Some(CheckoutEnd::Expired) => Activation::Expired,
            Some(CheckoutEnd::Failed) => Activation::Failed,
            Some(CheckoutEnd::Unpaid | CheckoutEnd::Free | CheckoutEnd::Paid) | None if due => Activation::Failed,
            Some(CheckoutEnd::Unpaid | CheckoutEnd::Free | CheckoutEnd::Paid) | None => Activation::Pending,
        });
    }
    let opened = tx.doc(Shelf::Checkout, &format!("session:{session}"))?.and_then(|text| text.parse::<i64>().ok());
    let over = opened.is_some_and(|at| now.secs().saturating_sub(at) > SESSION_OPEN_SECS);
    Ok(if over { Activation::Expired } else { Activation::Pending })
}

/// What a person pays for.
///
/// # Errors
/// The store's.
pub fn billing(tx: &mut Tx<'_>, now: Timestamp, user: &str) -> Result<Billing, StoreError> {
    let account = status::find(tx, user)?.unwrap_or_default();
    let mut billing = Billing {
        access: account.access(),
        status: account.status().to_owned(),
        plan: account.plan(),
        period_end: account.period_end(),
        paid_at: account.paid_at(),
        email: account.emails().first().map(|email| (*email).to_owned()),
        ..Billing::default()
    };
    if let Some((id, subscription)) = account.subscription() {
        let object = subscription.current().map(|current| &current.object);
        let at = |name: &str| object.and_then(|object| object[name].as_i64()).map(Timestamp::from_secs);
        let planned = object.is_some_and(|object| object["cancel_at_period_end"] == true);
        billing.ends = at("ended_at").or(at("cancel_at")).or(billing.period_end.filter(|_| planned));
        if !subscription.is_over() && billing.ends.is_none() && subscription.current().is_some() {
            billing.subscription = Some(id.to_string());
            let asked = tx.doc(Shelf::Checkout, &format!("cancel:{id}"))?.and_then(|text| text.parse::<i64>().ok());
            billing.cancelling = asked.is_some_and(|at| now.secs().saturating_sub(at) < CANCEL_SHOWN_SECS);
        }
    }
    if let Some((session, _)) = visits(tx, user)?.and_then(|held| held.session) {
        let waits = tx.linked(Identity::Session, &session)?.is_empty();
        billing.awaited = (waits && !billing.access).then_some(session);
    }
    Ok(billing)
}

/// Notes that Stripe was asked to end the subscription.
///
/// # Errors
/// The store's.
pub fn cancel_asked(tx: &mut Tx<'_>, now: Timestamp, subscription: &str) -> Result<(), StoreError> {
    tx.put_doc(Shelf::Checkout, &format!("cancel:{subscription}"), &now.secs().to_string())
}

/// Whether a person, or the chat of a browser that became one, may chat.
///
/// # Errors
/// The store's.
pub fn entitlement(tx: &mut Tx<'_>, user: Option<&str>, chat: Option<&str>) -> Result<Entitlement, StoreError> {
    let mut account = match user {
        Some(user) => status::find(tx, user)?,
        None => None,
    };
    if let (None, Some(chat)) = (&account, chat)
        && let Some(party) = tx.linked(Identity::Chat, chat)?.first()
    {
        account = account::of_party(tx, party)?;
    }
    let Some(account) = account else { return Ok(Entitlement { entitled: false, reason: "anonymous" }) };
    let entitled = account.access();
    let reason = match account.status() {
        _ if entitled => "active",
        "canceled" | "incomplete_expired" => "canceled",
        "past_due" | "unpaid" | "incomplete" => "payment_failed",
        "active" if account.is_refunded() => "refunded",
        _ => "no_plan",
    };
    Ok(Entitlement { entitled, reason })
}
