//! What events say in every API-version shape, and what says nothing.

use super::*;
use crate::service::money::Money;
use serde_json::json;

fn reading(kind: &str, object: &Value) -> Option<Reading> {
    let body = json!({"id": "evt_1", "object": "event", "type": kind, "created": 50, "data": {"object": object}});
    read(&Event::parse(&body.to_string()).expect("an event"), &Defects::none())
}

fn bill(kind: &str, object: &Value) -> Bill {
    let found = reading(kind, object).expect("a reading");
    let bill = found.facts.into_iter().find_map(|fact| if let Fact::Bill(_, bill) = fact { Some(*bill) } else { None });
    bill.expect("a bill")
}

#[test]
fn an_invoice_names_its_subscription_in_every_shape() {
    let of = |object: Value| bill("invoice.paid", &object).subscription;
    let with = |key: &str, value: Value| json!({"id": "in_1", "customer": "cus_1", key: value});
    let sub = Some(SubscriptionId::new("sub_1"));
    assert_eq!(of(with("subscription", json!("sub_1"))), sub);
    assert_eq!(of(with("subscription", json!({"id": "sub_1", "object": "subscription"}))), sub);
    assert_eq!(of(with("parent", json!({"subscription_details": {"subscription": "sub_1"}}))), sub);
    assert_eq!(of(with("lines", json!({"data": [{"subscription": "sub_1"}]}))), sub);
    assert_eq!(of(with("subscription", Value::Null)), None, "a one-off invoice");
}

#[test]
fn an_invoice_names_its_payments_in_every_shape_that_has_them() {
    let of = |object: Value| bill("invoice.paid", &object).payments.into_iter().collect::<Vec<_>>();
    let with = |key: &str, value: Value| json!({"id": "in_1", "customer": "cus_1", key: value});
    assert_eq!(of(with("payment_intent", json!("pi_1"))), ["pi_1"]);
    assert_eq!(of(with("charge", json!({"id": "ch_1"}))), ["ch_1"]);
    let expanded = json!({"data": [{"payment": {"payment_intent": {"id": "pi_1"}, "type": "payment_intent"}}]});
    assert_eq!(of(with("payments", expanded)), ["pi_1"]);
    assert_eq!(of(with("payments", Value::Null)), [""; 0]);
    let paid = json!({"id": "inpay_1", "invoice": "in_1", "payment": {"payment_intent": "pi_1"}});
    let found = reading("invoice_payment.paid", &paid).expect("a reading");
    assert_eq!((found.party.as_str(), found.payments), ("payment:in_1", vec!["in_1".to_owned(), "pi_1".into()]));
}

#[test]
fn a_proration_pays_no_term_and_zero_is_no_payment() {
    let with = |amount: i64, more: Value| {
        let mut object = json!({"id": "in_1", "customer": "cus_1", "amount_paid": amount, "currency": "jpy"});
        object.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        bill("invoice.paid", &object)
    };
    let lines = |lines: Value| json!({"lines": {"data": lines}});
    let basil = |proration: bool| json!({"parent": {"subscription_item_details": {"proration": proration}}});
    assert_eq!(with(5, lines(json!([basil(true), basil(true)]))).term, Some(false));
    assert_eq!(with(5, lines(json!([basil(true), basil(false)]))).term, Some(true));
    assert_eq!(with(5, lines(json!([{"proration": true}]))).term, Some(false), "before basil");
    assert_eq!(with(5, json!({"billing_reason": "subscription_update"})).term, Some(false));
    assert_eq!(with(5, json!({"billing_reason": "subscription_cycle"})).term, Some(true));
    let paid = with(4900, json!({}));
    assert_eq!((paid.settled, paid.money), (Settled::Paid, Some(Money::new(4900, "jpy"))), "kept as Stripe sends it");
    let free = with(0, json!({}));
    assert_eq!((free.settled, free.paid_at, free.money), (Settled::Free, None, None));
}

#[test]
fn references_may_be_expanded_and_mails_differ_in_case() {
    let object = json!({"id": "cs_1", "customer": {"id": "cus_1"}, "client_reference_id": "u1", "created": 3,
        "payment_status": "paid", "subscription": {"id": "sub_1"}, "customer_details": {"email": " Ada@Example.com"}});
    let read = reading("checkout.session.completed", &object).expect("a reading");
    assert_eq!((read.party.as_str(), read.user.as_deref()), ("cus_1", Some("u1")));
    assert_eq!(read.email.as_deref(), Some("ada@example.com"));
    let paid = bill("checkout.session.completed", &object);
    assert_eq!((paid.settled, paid.made, paid.paid_at), (Settled::Paid, Some(3), Some(50)));
    let dispute = json!({"id": "dp_1", "charge": {"id": "ch_1", "customer": "cus_1"}, "status": "lost"});
    assert_eq!(reading("charge.dispute.closed", &dispute).expect("a reading").party, "cus_1");
}

#[test]
fn a_checkout_ends_once_and_an_expired_one_is_no_dealing() {
    let end = |kind: &str, status: Value| {
        let object = json!({"id": "cs_1", "customer": "cus_1", "payment_status": status});
        let read = reading(kind, &object).expect("a reading");
        let Some(Fact::Checkout { end, .. }) = read.facts.first().cloned() else { panic!("{read:?}") };
        (end, read.is_dealing(), read.facts.len())
    };
    let done = "checkout.session.completed";
    assert_eq!(end(done, json!("paid")), (CheckoutEnd::Paid, true, 2));
    assert_eq!(end(done, json!("no_payment_required")), (CheckoutEnd::Free, true, 2));
    for odd in [json!("unpaid"), json!("later"), Value::Null] {
        assert_eq!(end(done, odd), (CheckoutEnd::Unpaid, true, 1));
    }
    assert_eq!(end("checkout.session.expired", json!("unpaid")), (CheckoutEnd::Expired, false, 1));
    assert_eq!(end("checkout.session.async_payment_failed", json!("unpaid")), (CheckoutEnd::Failed, true, 1));
    assert_eq!(end("checkout.session.async_payment_succeeded", json!("paid")), (CheckoutEnd::Paid, true, 2));
}

#[test]
fn a_chat_session_is_told_from_a_user() {
    let of = |more: Value| {
        let mut object = json!({"id": "cs_1", "payment_status": "paid"});
        object.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let read = reading("checkout.session.completed", &object).expect("a reading");
        (read.party, read.user.unwrap_or_default(), read.chat.unwrap_or_default())
    };
    let words = |party: &str, user: &str, chat: &str| (party.to_owned(), user.to_owned(), chat.to_owned());
    assert_eq!(of(json!({"client_reference_id": "chat_7"})), words("chat:chat_7", "", "chat_7"));
    let both = json!({"client_reference_id": "ada", "metadata": {"chat_session": "c7"}});
    assert_eq!(of(both), words("user:ada", "ada", "c7"));
    let swapped = json!({"client_reference_id": "chat_7", "metadata": {"user_id": "ada"}});
    assert_eq!(of(swapped), words("user:ada", "ada", "chat_7"));
}

#[test]
fn what_says_nothing_is_no_error() {
    for (kind, object) in [
        ("payment_intent.created", json!({"id": "pi_1"})),
        ("payment_intent.succeeded", json!({"id": "pi_1", "customer": null})),
        ("charge.failed", json!({"id": "ch_1", "customer": "cus_1"})),
        ("charge.updated", json!({"id": "ch_1", "customer": "cus_1", "status": "failed"})),
        ("refund.created", json!({"id": "re_1", "amount": 3})),
        ("charge.dispute.created", json!({"charge": "ch_1"})),
        ("customer.updated", json!({"email": "a@x"})),
        ("customer.subscription.updated", json!({"id": "sub_1"})),
        ("invoice.paid", json!({})),
        ("invoice_payment.paid", json!({"payment": {"payment_intent": "pi_1"}})),
        ("checkout.session.completed", json!({"id": 7})),
        ("something.entirely.new", json!({})),
        ("ignored", json!({"id": "x"})),
    ] {
        assert_eq!(reading(kind, &object), None, "{kind}");
    }
    let odd = json!({"id": "sub_1", "customer": "cus_1", "status": "hibernating", "items": 3});
    assert!(reading("customer.subscription.updated", &odd).is_some());
}

#[test]
fn what_is_no_event_of_ours_is_kept_apart_and_what_has_no_id_is_refused() {
    let thin = json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.invoice.paid", "livemode": true,
        "created": "2026-01-15T10:00:00Z", "related_object": {"id": "in_1"}});
    let kept = event(&thin.to_string()).expect("kept");
    assert_eq!((kept.id.as_str(), kept.kind.as_str(), kept.livemode), ("ignored:evt_1", "ignored", true));
    assert_eq!(read(&kept, &Defects::none()), None);
    let odd = json!({"id": "evt_1", "object": "event", "type": "invoice.paid", "created": "today", "data": {}});
    assert_eq!(event(&odd.to_string()).map(|event| event.kind), Some("ignored".to_owned()));
    for broken in
        ["", "{", "[]", "null", "7", "{}", r#"{"id": 7}"#, r#"{"id": " "}"#, r#"{"object": "list", "data": []}"#]
    {
        assert_eq!(event(broken), None, "{broken}");
    }
}
