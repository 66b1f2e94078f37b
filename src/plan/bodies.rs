//! Other spellings and shapes of a body: the event means the same.
//!
//! Must not know: faults, deliveries, which app reads it.

use crate::scenario::forms::BodyForm;
use serde_json::{Map, Value, json};

/// The version that moved the period and the invoice's subscription, and the last one before it (Stripe's changelog,
/// 2025-03-31.basil).
const BASIL: &str = "2025-03-31.basil";
const BEFORE_BASIL: &str = "2025-02-24.acacia";

/// Lines of the further field of a large body, and characters of each: 200 kB.
const LARGE_LINES: usize = 2_000;
const LARGE_LINE: usize = 96;

/// Fields of `data.object` that hold an id or, expanded, the object itself, and what kind of object that is.
const REFERENCES: &[(&str, &str)] = &[
    ("customer", "customer"),
    ("subscription", "subscription"),
    ("latest_invoice", "invoice"),
    ("invoice", "invoice"),
    ("payment_intent", "payment_intent"),
    ("payment_method", "payment_method"),
    ("default_payment_method", "payment_method"),
];

/// Enumerations that no state of a customer hangs on.
const ENUMERATIONS: &[&str] = &[
    "/billing_reason",
    "/collection_method",
    "/automatic_tax/status",
    "/cancellation_details/reason",
    "/customer_tax_exempt",
];

/// Fields that Stripe leaves out in some versions, or that are mostly null.
const OPTIONAL: &[&str] = &[
    "account_country",
    "account_name",
    "automatic_tax",
    "default_payment_method",
    "description",
    "discounts",
    "footer",
    "hosted_invoice_url",
    "invoice_pdf",
    "latest_invoice",
    "payment_settings",
    "phone",
    "receipt_url",
    "shipping",
];

/// The body in another form. A body that has nothing which the form is about stays as it is, but for its spelling.
pub(super) fn form(how: BodyForm, body: &str) -> String {
    // A re-keyed event is JSON: `Event::parse` has read it.
    let Ok(mut event) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    match how {
        BodyForm::WhiteSpace => return format!("\r\n{}\t\r\n\r\n", format!("{event:#}").replace('\n', "\r\n\t ")),
        BodyForm::UnicodeEscapes => return escaped(&event.to_string()),
        BodyForm::KeyOrder => event = reversed(event),
        BodyForm::BigIntegers => {
            add(&mut event, "sequence", json!([9_007_199_254_740_993_u64, 18_446_744_073_709_551_615_u64]))
        }
        BodyForm::Large => {
            let line = "x".repeat(LARGE_LINE);
            add(&mut event, "appendix", Value::Array(vec![Value::String(line); LARGE_LINES]));
        }
        BodyForm::PeriodOnItems => period_on_items(&mut event),
        BodyForm::PeriodOnTop => period_on_top(&mut event),
        BodyForm::InvoiceParent => invoice_parent(&mut event),
        BodyForm::InvoiceSubscription => invoice_subscription(&mut event),
        BodyForm::Expanded => {
            each_reference(&mut event, |value, object| value.as_str().map(|id| json!({"id": id, "object": object})))
        }
        BodyForm::References => each_reference(&mut event, |value, _| value.get("id").cloned()),
        BodyForm::UnknownValues => unknown_values(&mut event),
        BodyForm::MissingOptional => {
            if let Some(object) = object(&mut event) {
                object.retain(|key, _| !OPTIONAL.contains(&key.as_str()));
            }
        }
        BodyForm::ExtraFields => {
            add(&mut event, "constellation", json!({"aligned": true, "stars": ["aurora", null, 3.5]}));
            if let Some(envelope) = event.as_object_mut() {
                envelope.insert("context".to_owned(), json!({"origin": null}));
            }
        }
    }
    format!("{event:#}\n")
}

fn object(event: &mut Value) -> Option<&mut Map<String, Value>> {
    event.pointer_mut("/data/object")?.as_object_mut()
}

fn of_kind<'e>(event: &'e mut Value, kind: &str) -> Option<&'e mut Map<String, Value>> {
    object(event).filter(|object| object.get("object").and_then(Value::as_str) == Some(kind))
}

fn add(event: &mut Value, key: &str, value: Value) {
    if let Some(object) = object(event) {
        object.insert(key.to_owned(), value);
    }
}

fn rendered_in(event: &mut Value, version: &str) {
    if let Some(envelope) = event.as_object_mut() {
        envelope.insert("api_version".to_owned(), version.into());
    }
}

/// What may be escaped and stands in strings only.
fn escaped(compact: &str) -> String {
    let mut text = String::with_capacity(compact.len() * 2);
    for c in compact.chars() {
        match c {
            '/' => text.push_str("\\/"),
            '@' | '<' | '>' | '&' | '\'' => text.push_str(&format!("\\u{:04x}", c as u32)),
            c if c.is_ascii() => text.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

fn reversed(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, reversed(value))).collect();
            entries.reverse();
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(reversed).collect()),
        other => other,
    }
}

const PERIOD: [&str; 2] = ["current_period_start", "current_period_end"];

fn items(subscription: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let items = subscription.get_mut("items").and_then(|items| items.get_mut("data")).and_then(Value::as_array_mut);
    items.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn period_on_items(event: &mut Value) {
    let Some(subscription) = of_kind(event, "subscription") else { return };
    for key in PERIOD {
        if let Some(at) = subscription.shift_remove(key) {
            items(subscription).for_each(|item| drop(item.insert(key.to_owned(), at.clone())));
        }
    }
    rendered_in(event, BASIL);
}

fn period_on_top(event: &mut Value) {
    let Some(subscription) = of_kind(event, "subscription") else { return };
    for key in PERIOD {
        let moved: Vec<Value> = items(subscription).filter_map(|item| item.shift_remove(key)).collect();
        if let Some(at) = moved.into_iter().next() {
            subscription.insert(key.to_owned(), at);
        }
    }
    rendered_in(event, BEFORE_BASIL);
}

fn invoice_parent(event: &mut Value) {
    let Some(invoice) = of_kind(event, "invoice") else { return };
    let details = invoice.shift_remove("subscription_details");
    if let Some(subscription) = invoice.shift_remove("subscription").filter(|subscription| !subscription.is_null()) {
        let metadata = details.and_then(|details| details.get("metadata").cloned()).unwrap_or_else(|| json!({}));
        let details = json!({"metadata": metadata, "subscription": subscription});
        let parent = json!({"quote_details": null, "subscription_details": details, "type": "subscription_details"});
        invoice.insert("parent".to_owned(), parent);
    }
    rendered_in(event, BASIL);
}

fn invoice_subscription(event: &mut Value) {
    let Some(invoice) = of_kind(event, "invoice") else { return };
    if let Some(parent) = invoice.shift_remove("parent") {
        let details = parent.get("subscription_details");
        let of = |key| details.and_then(|details| details.get(key)).cloned().unwrap_or(Value::Null);
        invoice.insert("subscription".to_owned(), of("subscription"));
        invoice.insert("subscription_details".to_owned(), json!({"metadata": of("metadata")}));
    }
    rendered_in(event, BEFORE_BASIL);
}

fn each_reference(event: &mut Value, change: impl Fn(&Value, &str) -> Option<Value>) {
    let Some(object) = object(event) else { return };
    for (key, kind) in REFERENCES {
        if let Some(value) = object.get_mut(*key)
            && let Some(changed) = change(value, kind)
        {
            *value = changed;
        }
    }
}

fn unknown_values(event: &mut Value) {
    let Some(object) = event.pointer_mut("/data/object") else { return };
    for place in ENUMERATIONS {
        if let Some(value) = object.pointer_mut(place).filter(|value| value.is_string()) {
            *value = "aurora".into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id":"evt_1","object":"event","api_version":"x","data":{"object":{"object":"subscription","customer":"cus_1","email":"ä@b/c","items":{"data":[{"current_period_end":5}]},"collection_method":"a"}}}"#;

    fn of(how: BodyForm) -> Value {
        serde_json::from_str(&form(how, EVENT)).expect("JSON")
    }

    #[test]
    fn spellings_mean_the_same_and_are_other_bytes() {
        let same: Value = serde_json::from_str(EVENT).expect("JSON");
        for how in [BodyForm::WhiteSpace, BodyForm::UnicodeEscapes, BodyForm::KeyOrder] {
            assert_eq!(of(how), same, "{how:?}");
            assert_ne!(form(how, EVENT), EVENT, "{how:?}");
        }
        assert!(form(BodyForm::UnicodeEscapes, EVENT).contains(r"\u00e4\u0040b\/c"));
        assert!(form(BodyForm::KeyOrder, EVENT).trim_start_matches(['{', '\n', ' ']).starts_with("\"data\""));
    }

    #[test]
    fn shapes_move_what_they_say_and_nothing_else() {
        let top = of(BodyForm::PeriodOnTop);
        assert_eq!(top.pointer("/data/object/current_period_end"), Some(&json!(5)));
        assert_eq!(top.pointer("/data/object/items/data/0/current_period_end"), None);
        let there = form(BodyForm::PeriodOnTop, EVENT);
        let back: Value = serde_json::from_str(&form(BodyForm::PeriodOnItems, &there)).expect("JSON");
        assert_eq!(back["data"], of(BodyForm::References)["data"]);
        let expanded = form(BodyForm::Expanded, EVENT);
        let expanded_value: Value = serde_json::from_str(&expanded).expect("JSON");
        assert_eq!(expanded_value.pointer("/data/object/customer/id"), Some(&json!("cus_1")));
        let again: Value = serde_json::from_str(&form(BodyForm::References, &expanded)).expect("JSON");
        assert_eq!(again, serde_json::from_str::<Value>(EVENT).expect("JSON"));
        assert_eq!(of(BodyForm::UnknownValues).pointer("/data/object/collection_method"), Some(&json!("aurora")));
        assert!((200_000..260_000).contains(&form(BodyForm::Large, EVENT).len()));
        assert!(form(BodyForm::BigIntegers, EVENT).contains("18446744073709551615"));
    }
}
