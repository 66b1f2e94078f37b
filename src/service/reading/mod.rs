//! What one event says, read from every API-version shape. Anything unexpected reads as "says nothing", never as an error:
//! a harmless new value must not fail a delivery (bug classes 54, 55).
//!
//! Must not know: storage, what was said before.

mod billing;
mod body;
#[cfg(test)]
mod tests;
mod unhandled;

use super::{
    defects::{Defect, Defects},
    ledger::{Bill, Charge, Claim, Settled},
    snapshot::{Snapshot, SnapshotKind},
};
use crate::{
    id::{EventId, InvoiceId, SubscriptionId},
    stripe::event::Event,
};
use body::{amount, reference, text};
use serde_json::Value;

pub use body::event;

/// One event, as far as the service acts on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Whose facts these are: the Stripe customer, else the user, else the chat session, else the Checkout session, else
    /// the payment itself ([`payment_party`]).
    pub party: String,
    /// The app's own user id.
    pub user: Option<String>,
    /// E-mail, in lower case (bug class 64).
    pub email: Option<String>,
    /// The app's anonymous chat session.
    pub chat: Option<String>,
    /// The Checkout session, when it is about one.
    pub session: Option<String>,
    /// PaymentIntents, charges and invoices that it ties to the party: refunds and disputes name no customer.
    pub payments: Vec<String>,
    /// The facts themselves.
    pub facts: Vec<Fact>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A Checkout session ended.
    Checkout {
        /// Session id.
        session: String,
        /// How it ended.
        end: CheckoutEnd,
    },
    /// A subscription looked like this.
    Subscription(SubscriptionId, Snapshot),
    /// A bill looked like this, by invoice id or, without an invoice, by session id. `invoice.paid` and
    /// `invoice.payment_succeeded` are one fact (bug class 7).
    Bill(String, Box<Bill>),
    /// An attempt to collect an invoice failed.
    InvoiceFailed(InvoiceId),
    /// A charge looked like this.
    Charge(String, Box<Charge>),
    /// A refund looked like this.
    Refund(String, Box<Claim>),
    /// A dispute looked like this.
    Dispute(String, Box<Claim>),
    /// The Stripe customer looked like this.
    Profile(Profile),
    /// The Stripe customer is deleted, since this Unix second: nothing of it goes on.
    Deleted(i64),
}

/// How a Checkout session ended, in the order in which one end can follow another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutEnd {
    /// Nobody finished it in time.
    Expired,
    /// Finished; the money is not there yet.
    Unpaid,
    /// Finished; the money never came.
    Failed,
    /// Finished; nothing is owed now: a trial, a full discount.
    Free,
    /// Finished and paid.
    Paid,
}

/// What a Stripe customer object says of the person; the newest counts, ties of one second go by kind and event id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// The event's time, Unix seconds.
    pub at: i64,
    /// Whether it was an update; `false` when the customer was made.
    pub updated: bool,
    /// The event.
    pub event: EventId,
    /// E-mail in lower case.
    pub email: String,
}

/// Chat sessions of the app are known by this beginning wherever a text may be a user id or a chat session
/// (`client_reference_id`).
pub const CHAT_PREFIX: &str = "chat_";

impl Reading {
    fn of(party: String, facts: Vec<Fact>) -> Self {
        Self { party, user: None, email: None, chat: None, session: None, payments: Vec::new(), facts }
    }

    /// With who the person is, as far as the service looks for that: everywhere in the sound one (bug class 22).
    pub(super) fn named(self, defects: &Defects) -> Self {
        match self.session.is_none() && defects.has(Defect::KeyOnlyInCheckout) {
            true => Self { user: None, email: None, chat: None, ..self },
            false => self,
        }
    }

    /// Whether it tells of a dealing with the person: a contact is due. A customer object, a charge or a page that was left
    /// tell of none.
    pub fn is_dealing(&self) -> bool {
        self.facts.iter().any(|fact| match fact {
            Fact::Checkout { end, .. } => *end > CheckoutEnd::Expired,
            Fact::Bill(_, bill) => bill.settled > Settled::No || bill.failed,
            Fact::Subscription(..) | Fact::InvoiceFailed(_) => true,
            Fact::Charge(..) | Fact::Refund(..) | Fact::Dispute(..) | Fact::Profile(_) | Fact::Deleted(_) => false,
        })
    }
}

/// What reads the body of one type of events.
type Reader = fn(&Event, &Value, &Defects) -> Option<Reading>;

/// Reads an event; `None` for what is stored and acknowledged only.
pub fn read(event: &Event, defects: &Defects) -> Option<Reading> {
    if unhandled::is(&event.kind, defects) {
        return None;
    }
    // Most types say nothing: their bodies are not even taken apart.
    let read = reader(&event.kind)?;
    read(event, &serde_json::from_str(&event.body).ok()?, defects)
}

fn reader(kind: &str) -> Option<Reader> {
    Some(match kind {
        "checkout.session.completed" => {
            |event, body, defects| checkout(event, object(body), completed(object(body), defects))
        }
        "checkout.session.async_payment_succeeded" => |event, body, _| checkout(event, object(body), CheckoutEnd::Paid),
        "checkout.session.async_payment_failed" => |event, body, _| checkout(event, object(body), CheckoutEnd::Failed),
        "checkout.session.expired" => |event, body, _| checkout(event, object(body), CheckoutEnd::Expired),
        "customer.subscription.created" => {
            |event, body, defects| subscription(event, body, SnapshotKind::Created, defects)
        }
        "customer.subscription.updated" => {
            |event, body, defects| subscription(event, body, SnapshotKind::Updated, defects)
        }
        "customer.subscription.paused" | "customer.subscription.resumed" | "customer.subscription.trial_will_end" => {
            |event, body, defects| subscription(event, body, SnapshotKind::Notice, defects)
        }
        "customer.subscription.deleted" => {
            |event, body, defects| subscription(event, body, SnapshotKind::Deleted, defects)
        }
        "customer.created" => |event, body, _| customer(event, object(body), false),
        "customer.updated" => |event, body, _| customer(event, object(body), true),
        "customer.deleted" => {
            |event, body, _| Some(Reading::of(text(&object(body)["id"])?, vec![Fact::Deleted(event.created)]))
        }
        _ => return billing::reader(kind),
    })
}

/// The object that an event is about.
fn object(body: &Value) -> &Value {
    &body["data"]["object"]
}

fn completed(session: &Value, defects: &Defects) -> CheckoutEnd {
    if defects.has(Defect::ProvisionsUnpaid) {
        return CheckoutEnd::Paid;
    }
    match session["payment_status"].as_str() {
        Some("paid") => CheckoutEnd::Paid,
        Some("no_payment_required") => CheckoutEnd::Free,
        _ => CheckoutEnd::Unpaid,
    }
}

fn checkout(event: &Event, object: &Value, end: CheckoutEnd) -> Option<Reading> {
    let session = text(&object["id"])?;
    let named = text(&object["client_reference_id"]);
    let (chat, user) = named.map_or((None, None), |named| {
        if named.starts_with(CHAT_PREFIX) { (Some(named), None) } else { (None, Some(named)) }
    });
    let user = user.or_else(|| text(&object["metadata"]["user_id"]));
    let chat = text(&object["metadata"]["chat_session"]).or(chat);
    let email = text(&object["customer_details"]["email"]).or_else(|| text(&object["customer_email"]));
    let (invoice, intent) = (reference(&object["invoice"]), reference(&object["payment_intent"]));
    let settled = match end {
        CheckoutEnd::Expired | CheckoutEnd::Unpaid | CheckoutEnd::Failed => Settled::No,
        CheckoutEnd::Free => Settled::Free,
        CheckoutEnd::Paid => Settled::Paid,
    };
    let mut facts = vec![Fact::Checkout { session: session.clone(), end }];
    if settled > Settled::No {
        let bill = Bill {
            subscription: reference(&object["subscription"]).map(SubscriptionId::new),
            // Always before the charge that pays it.
            made: Some(object["created"].as_i64().unwrap_or(event.created)),
            settled,
            paid_at: (settled == Settled::Paid).then_some(event.created),
            money: amount(&object["amount_total"], object).filter(|_| settled == Settled::Paid),
            payments: intent.iter().cloned().collect(),
            ..Bill::default()
        };
        facts.push(Fact::Bill(invoice.clone().unwrap_or_else(|| session.clone()), Box::new(bill)));
    }
    let party = reference(&object["customer"])
        .or_else(|| user.as_deref().map(user_party))
        .or_else(|| chat.as_deref().map(chat_party))
        .unwrap_or_else(|| format!("session:{session}"));
    let payments = invoice.into_iter().chain(intent).collect();
    let email = email.as_deref().map(fold_email);
    Some(Reading { user, email, chat, session: Some(session), payments, ..Reading::of(party, facts) })
}

fn subscription(event: &Event, body: &Value, kind: SnapshotKind, defects: &Defects) -> Option<Reading> {
    let object = &body["data"]["object"];
    if !period_is_found(object, defects) {
        return None;
    }
    let id = SubscriptionId::new(text(&object["id"])?);
    let snapshot = Snapshot {
        event: event.id.clone(),
        created: event.created,
        kind,
        object: object.clone().into(),
        previous: body["data"]["previous_attributes"].clone().into(),
    };
    let mut facts = vec![Fact::Subscription(id.clone(), snapshot)];
    if defects.has(Defect::EntitledByPrice) {
        let bill = Bill { subscription: Some(id.clone()), settled: Settled::Free, ..Bill::default() };
        facts.push(Fact::Bill(id.to_string(), Box::new(bill)));
    }
    Some(Reading {
        user: text(&object["metadata"]["user_id"]),
        email: text(&object["customer"]["email"]).as_deref().map(fold_email),
        chat: text(&object["metadata"]["chat_session"]),
        ..Reading::of(reference(&object["customer"])?, facts)
    })
}

/// Whether the end of the period is where a defective service looks for it; a sound one knows both places (bug class 52).
fn period_is_found(object: &Value, defects: &Defects) -> bool {
    let on_top = || object["current_period_end"].is_i64();
    let on_items = || object["items"]["data"][0]["current_period_end"].is_i64();
    (on_top() || !defects.has(Defect::PeriodAtTopLevel)) && (on_items() || !defects.has(Defect::PeriodOnItemsOnly))
}

fn customer(event: &Event, object: &Value, updated: bool) -> Option<Reading> {
    let email = text(&object["email"]).as_deref().map(fold_email);
    let profile = |email| Profile { at: event.created, updated, event: event.id.clone(), email };
    let facts = email.clone().map(profile).map(Fact::Profile).into_iter().collect();
    let user = text(&object["metadata"]["user_id"]);
    Some(Reading { user, email, ..Reading::of(text(&object["id"])?, facts) })
}

/// The party of a user who has no Stripe customer yet.
pub fn user_party(user: &str) -> String {
    format!("user:{user}")
}

/// The party of an anonymous chat session.
pub fn chat_party(chat: &str) -> String {
    format!("chat:{chat}")
}

/// What the party of a payment whose customer is not known begins with.
pub const PAYMENT_PARTY: &str = "payment:";

/// The party of a payment whose customer is not known (yet).
pub fn payment_party(payment: &str) -> String {
    format!("{PAYMENT_PARTY}{payment}")
}

/// How e-mails are compared: without case and outer blanks.
pub fn fold_email(email: &str) -> String {
    email.trim().to_lowercase()
}
