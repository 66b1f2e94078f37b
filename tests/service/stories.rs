//! Small synthetic events for the tests.

use hookdrill::stripe::event::Event;
use serde_json::{Value, json};

/// An event of that kind about `object`.
pub(super) fn event(id: &str, kind: &str, created: i64, object: Value) -> Event {
    let body = json!({"id": id, "object": "event", "type": kind, "created": created, "livemode": false,
        "data": {"object": object}});
    Event::parse(&body.to_string()).expect("an event")
}

/// A Checkout that is paid.
pub(super) fn completed(id: &str, customer: &str, user: Option<&str>, email: &str) -> Event {
    let session = json!({"id": format!("cs_{customer}"), "customer": customer, "client_reference_id": user,
        "created": 90, "payment_status": "paid", "subscription": format!("sub_{customer}"),
        "customer_details": {"email": email}});
    event(id, "checkout.session.completed", 101, session)
}

/// The subscription of a customer.
pub(super) fn subscription(id: &str, kind: &str, created: i64, customer: &str, status: &str) -> Event {
    let items = json!({"data": [{"price": {"metadata": {"plan": "pro"}}, "current_period_end": 900}]});
    let object = json!({"id": format!("sub_{customer}"), "customer": customer, "status": status, "items": items});
    event(id, &format!("customer.subscription.{kind}"), created, object)
}

/// An invoice of a customer.
pub(super) fn invoice(id: &str, kind: &str, created: i64, customer: &str, number: &str, email: Option<&str>) -> Event {
    let object = json!({"id": number, "customer": customer, "customer_email": email, "created": created,
        "amount_paid": 4900, "parent": {"subscription_details": {"subscription": format!("sub_{customer}")}}});
    event(id, &format!("invoice.{kind}"), created, object)
}
