//! What one event says, read from every API-version shape. Anything unexpected reads as "says nothing", never as an error:
//! a harmless new value must not fail a delivery (bug classes 54, 55).
//!
//! Must not know: storage, what was said before.

use super::snapshot::{Snapshot, SnapshotKind};
use crate::{
    id::{InvoiceId, SubscriptionId},
    stripe::event::Event,
};
use serde_json::Value;

/// One event, as far as the service acts on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Whose facts these are: the Stripe customer, else the user, else the session itself.
    pub party: String,
    /// The app's own user id.
    pub user: Option<String>,
    /// E-mail, in lower case (bug class 64).
    pub email: Option<String>,
    /// The Checkout session, when it is about one.
    pub session: Option<String>,
    /// The fact itself.
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A Checkout session ended.
    Checkout {
        /// Session id.
        session: String,
        /// When it was opened, Unix seconds: always before the charge that pays it.
        opened: i64,
        /// Its subscription, if it is for one.
        subscription: Option<SubscriptionId>,
        /// Whether it is settled.
        settled: Settled,
        /// The event's time, Unix seconds.
        at: i64,
    },
    /// A subscription looked like this.
    Subscription(SubscriptionId, Snapshot),
    /// An invoice was paid; `invoice.paid` and `invoice.payment_succeeded` are one fact (bug class 7).
    InvoicePaid {
        /// Its subscription; absent on a one-off invoice.
        subscription: Option<SubscriptionId>,
        /// When the invoice was made, Unix seconds.
        created: i64,
        /// When it was paid; absent for an invoice of zero.
        paid_at: Option<i64>,
    },
    /// An attempt to collect an invoice failed.
    InvoiceFailed(InvoiceId),
    /// A charge made at this Unix second was refunded in full.
    Refunded(i64),
}

/// How far the money of a Checkout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Not there yet, or never.
    No,
    /// Nothing is owed now: a trial, a full discount.
    Free,
    /// Paid.
    Paid,
}

/// Reads an event; `None` for what is stored and acknowledged only.
pub fn read(event: &Event) -> Option<Reading> {
    let body: Value = serde_json::from_str(&event.body).ok()?;
    let object = &body["data"]["object"];
    match event.kind.as_str() {
        "checkout.session.completed" => checkout(event, object, completed(object)),
        "checkout.session.async_payment_succeeded" => checkout(event, object, Settled::Paid),
        "checkout.session.async_payment_failed" => checkout(event, object, Settled::No),
        "customer.subscription.created" => subscription(event, &body, SnapshotKind::Created),
        "customer.subscription.updated" | "customer.subscription.paused" | "customer.subscription.resumed" => {
            subscription(event, &body, SnapshotKind::Updated)
        }
        "customer.subscription.deleted" => subscription(event, &body, SnapshotKind::Deleted),
        "invoice.paid" | "invoice.payment_succeeded" => {
            let paid = object["amount_paid"].as_i64().is_none_or(|amount| amount > 0);
            let at = object["status_transitions"]["paid_at"].as_i64().unwrap_or(event.created);
            invoice(object, |subscription| Fact::InvoicePaid {
                subscription,
                created: object["created"].as_i64().unwrap_or(event.created),
                paid_at: paid.then_some(at),
            })
        }
        "invoice.payment_failed" => {
            let id = text(&object["id"])?;
            invoice(object, |_| Fact::InvoiceFailed(InvoiceId::new(id)))
        }
        "charge.refunded" => refund(event, object),
        _ => None,
    }
}

fn completed(session: &Value) -> Settled {
    match session["payment_status"].as_str() {
        Some("paid") => Settled::Paid,
        Some("no_payment_required") => Settled::Free,
        _ => Settled::No,
    }
}

fn checkout(event: &Event, object: &Value, settled: Settled) -> Option<Reading> {
    let session = text(&object["id"])?;
    let user = text(&object["client_reference_id"]).or_else(|| text(&object["metadata"]["user_id"]));
    let email = text(&object["customer_details"]["email"]).or_else(|| text(&object["customer_email"]));
    let fact = Fact::Checkout {
        session: session.clone(),
        opened: object["created"].as_i64().unwrap_or(event.created),
        subscription: reference(&object["subscription"]).map(SubscriptionId::new),
        settled,
        at: event.created,
    };
    let party = reference(&object["customer"]).or_else(|| user.as_deref().map(user_party));
    let party = party.unwrap_or_else(|| format!("session:{session}"));
    Some(Reading { party, user, email: email.as_deref().map(fold_email), session: Some(session), fact })
}

fn subscription(event: &Event, body: &Value, kind: SnapshotKind) -> Option<Reading> {
    let object = &body["data"]["object"];
    let id = SubscriptionId::new(text(&object["id"])?);
    let snapshot = Snapshot {
        event: event.id.clone(),
        created: event.created,
        kind,
        object: object.clone().into(),
        previous: body["data"]["previous_attributes"].clone().into(),
    };
    Some(Reading {
        party: reference(&object["customer"])?,
        user: text(&object["metadata"]["user_id"]),
        email: text(&object["customer"]["email"]).as_deref().map(fold_email),
        session: None,
        fact: Fact::Subscription(id, snapshot),
    })
}

fn invoice(object: &Value, fact: impl FnOnce(Option<SubscriptionId>) -> Fact) -> Option<Reading> {
    // Moved below `parent` by the 2025-03-31 version (bug class 53); lines carry it too.
    let (now, before) = (&object["parent"]["subscription_details"], &object["subscription_details"]);
    let line = &object["lines"]["data"][0];
    let subscription = reference(&now["subscription"])
        .or_else(|| reference(&object["subscription"]))
        .or_else(|| reference(&line["parent"]["subscription_item_details"]["subscription"]))
        .or_else(|| reference(&line["subscription"]));
    let user = text(&now["metadata"]["user_id"])
        .or_else(|| text(&before["metadata"]["user_id"]))
        .or_else(|| text(&object["metadata"]["user_id"]));
    let party = reference(&object["customer"]).or_else(|| user.as_deref().map(user_party))?;
    let email = text(&object["customer_email"]).as_deref().map(fold_email);
    Some(Reading { party, user, email, session: None, fact: fact(subscription.map(SubscriptionId::new)) })
}

/// Only a refund in full; `charge.refunded` is sent for a partial one too, with `refunded: false`.
fn refund(event: &Event, object: &Value) -> Option<Reading> {
    if object["refunded"].as_bool() != Some(true) {
        return None;
    }
    let fact = Fact::Refunded(object["created"].as_i64().unwrap_or(event.created));
    Some(Reading { party: reference(&object["customer"])?, user: None, email: None, session: None, fact })
}

/// The party of a user who has no Stripe customer yet.
pub fn user_party(user: &str) -> String {
    format!("user:{user}")
}

/// How e-mails are compared: without case and outer blanks.
pub fn fold_email(email: &str) -> String {
    email.trim().to_lowercase()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// A reference is an id or, expanded, the object.
fn reference(value: &Value) -> Option<String> {
    text(value).or_else(|| text(&value["id"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reading(kind: &str, object: &Value) -> Option<Reading> {
        let body = json!({"id": "evt_1", "object": "event", "type": kind, "created": 50, "data": {"object": object}});
        read(&Event::parse(&body.to_string()).expect("an event"))
    }

    #[test]
    fn an_invoice_names_its_subscription_in_every_shape() {
        let of = |object: Value| match reading("invoice.paid", &object)?.fact {
            Fact::InvoicePaid { subscription, .. } => subscription,
            other => panic!("{other:?}"),
        };
        let with = |key: &str, value: Value| json!({"id": "in_1", "customer": "cus_1", key: value});
        let sub = Some(SubscriptionId::new("sub_1"));
        assert_eq!(of(with("subscription", json!("sub_1"))), sub);
        assert_eq!(of(with("subscription", json!({"id": "sub_1", "object": "subscription"}))), sub);
        assert_eq!(of(with("parent", json!({"subscription_details": {"subscription": "sub_1"}}))), sub);
        assert_eq!(of(with("lines", json!({"data": [{"subscription": "sub_1"}]}))), sub);
        assert_eq!(of(with("subscription", Value::Null)), None, "a one-off invoice");
    }

    #[test]
    fn references_may_be_expanded_and_mails_differ_in_case() {
        let object = json!({"id": "cs_1", "customer": {"id": "cus_1"}, "client_reference_id": "u1", "created": 3,
            "payment_status": "paid", "subscription": {"id": "sub_1"}, "customer_details": {"email": " Ada@Example.com"}});
        let read = reading("checkout.session.completed", &object).expect("a reading");
        assert_eq!((read.party.as_str(), read.user.as_deref()), ("cus_1", Some("u1")));
        assert_eq!(read.email.as_deref(), Some("ada@example.com"));
        assert!(matches!(read.fact, Fact::Checkout { settled: Settled::Paid, opened: 3, at: 50, .. }));
    }

    #[test]
    fn what_says_nothing_is_no_error() {
        for (kind, object) in [
            ("payment_intent.created", json!({"id": "pi_1"})),
            ("charge.refunded", json!({"id": "ch_1", "customer": "cus_1", "refunded": false})),
            ("charge.refunded", json!({"id": "ch_1", "customer": null, "refunded": true})),
            ("customer.subscription.updated", json!({"id": "sub_1"})),
            ("invoice.paid", json!({})),
            ("checkout.session.completed", json!({"id": 7})),
            ("something.entirely.new", json!({})),
        ] {
            assert_eq!(reading(kind, &object), None, "{kind}");
        }
        let odd = json!({"id": "sub_1", "customer": "cus_1", "status": "hibernating", "items": 3});
        assert!(reading("customer.subscription.updated", &odd).is_some());
    }
}
