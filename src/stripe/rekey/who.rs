//! Who a recording is about, where nobody wrote it down: what most of its events name.
//!
//! Must not know: what is right for them.

use super::{super::recording::Recording, recognise::is_user_key};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whom imported traffic is about, as its bodies name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The app's own id of the person.
    pub user: Option<String>,
    /// Their e-mail.
    pub email: Option<String>,
    /// Stripe customer.
    pub customer: Option<String>,
    /// Subscription.
    pub subscription: Option<String>,
    /// Checkout session.
    pub session: Option<String>,
}

impl Who {
    /// What the events name most often; of names that stand equally often the first.
    pub fn of(recording: &Recording) -> Self {
        let mut named: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for recorded in &recording.events {
            let object = recorded.event.object();
            for (what, name) in names(&object) {
                named.entry(what).or_default().push(name.to_owned());
            }
        }
        let most = |what: &str| {
            let all = named.get(what)?;
            let count = |name: &String| all.iter().filter(|other| *other == name).count();
            // Of several the last is taken, so the first is asked last.
            all.iter().rev().max_by_key(|name| count(name)).cloned()
        };
        Self {
            user: most("user"),
            email: most("email"),
            customer: most("customer"),
            subscription: most("subscription"),
            session: most("session"),
        }
    }
}

fn names(object: &Value) -> Vec<(&'static str, &str)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut names = Vec::new();
    let own = match text("/object") {
        Some("customer") => Some("customer"),
        Some("subscription") => Some("subscription"),
        Some("checkout.session") => Some("session"),
        _ => None,
    };
    names.extend(own.and_then(|what| Some((what, text("/id")?))));
    for (what, pointers) in [
        ("customer", &["/customer", "/customer/id"][..]),
        ("subscription", &["/subscription", "/subscription/id", "/parent/subscription_details/subscription"]),
        (
            "email",
            &["/email", "/customer_email", "/customer_details/email", "/receipt_email", "/billing_details/email"],
        ),
        ("user", &["/client_reference_id"]),
    ] {
        names.extend(pointers.iter().find_map(|pointer| text(pointer)).map(|name| (what, name)));
    }
    let metadata = object.get("metadata").and_then(Value::as_object).into_iter().flatten();
    names.extend(metadata.filter(|(key, _)| is_user_key(key)).filter_map(|(_, user)| Some(("user", user.as_str()?))));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::{event::Event, recording::RecordedEvent};
    use serde_json::json;

    #[test]
    fn what_most_events_name_is_who_it_is_about() {
        let event = |n: usize, object: Value| {
            let body = json!({
                "id": format!("evt_{n}"), "object": "event", "type": "x.y", "created": 1_700_000_000, "livemode": false,
                "data": {"object": object}
            });
            let event = Event::parse(&body.to_string()).expect("an event");
            RecordedEvent { file: n.to_string(), event }
        };
        let events = vec![
            event(1, json!({"id": "cus_2", "object": "customer", "email": "else@example.com"})),
            event(
                2,
                json!({"id": "cs_1", "object": "checkout.session", "customer": "cus_1", "client_reference_id": "u1",
                            "customer_details": {"email": "ann@example.com"}}),
            ),
            event(
                3,
                json!({"id": "in_1", "object": "invoice", "customer": "cus_1", "customer_email": "ann@example.com",
                            "parent": {"subscription_details": {"subscription": "sub_1"}}}),
            ),
        ];
        let who = Who::of(&Recording { name: "x".into(), events, story: None });
        let text = |text: &str| Some(text.to_owned());
        let expected = Who {
            user: text("u1"),
            email: text("ann@example.com"),
            customer: text("cus_1"),
            subscription: text("sub_1"),
            session: text("cs_1"),
        };
        assert_eq!(who, expected);
    }
}
