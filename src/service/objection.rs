//! Why a defective service fails an event that is rightly signed: it throws where the sound one takes note and goes on.
//!
//! Must not know: storage, HTTP.

use super::{
    config::Settings,
    defects::Defect,
    ingest,
    reading::{Fact, Reading},
};
use crate::stripe::event::Event;
use serde_json::Value;

/// The API version that the code was written for.
const PINNED: &str = "2025-09-30.clover";

/// Keys of an event, as they were when the code was written.
const ENVELOPE: [&str; 10] =
    ["id", "object", "account", "api_version", "created", "data", "livemode", "pending_webhooks", "request", "type"];

/// Values of an invoice's `billing_reason`, as they were when the code was written.
const REASONS: [&str; 9] = [
    "automatic_pending_invoice_item_invoice",
    "manual",
    "quote_accept",
    "subscription",
    "subscription_create",
    "subscription_cycle",
    "subscription_threshold",
    "subscription_update",
    "upcoming",
];

/// What the event fails with; always `None` in the sound service.
pub(super) fn to(event: &Event, reading: Option<&Reading>, settings: &Settings) -> Option<&'static str> {
    let has = |defect| settings.defects.has(defect);
    if has(Defect::ForeignFails) && ingest::is_foreign(event, settings) {
        return Some("no such tenant");
    }
    if has(Defect::CheckoutWithoutCustomerFails) && reading.is_some_and(is_checkout_of_nobody) {
        return Some("a Checkout without a customer");
    }
    if has(Defect::UnknownTypeFails) && reading.is_none() {
        return Some("an event of an unknown type");
    }
    if has(Defect::VersionPinned) && event.api_version.as_deref() != Some(PINNED) {
        return Some("another API version");
    }
    if has(Defect::InvoiceWithoutSubscriptionFails)
        && reading.is_some_and(|reading| is_of_no_subscription(event, reading))
    {
        return Some("an invoice without a subscription");
    }
    if has(Defect::ClosedEnums)
        && says(event, |body| body["data"]["object"]["billing_reason"].as_str().is_some_and(is_new))
    {
        return Some("an unknown value");
    }
    if has(Defect::ClosedFields) && says(event, has_new_key) {
        return Some("an unknown field");
    }
    None
}

fn is_checkout_of_nobody(reading: &Reading) -> bool {
    reading.session.is_some() && !reading.party.starts_with("cus_")
}

fn is_of_no_subscription(event: &Event, reading: &Reading) -> bool {
    let orphan = |fact: &Fact| matches!(fact, Fact::Bill(_, bill) if bill.subscription.is_none());
    event.kind.starts_with("invoice.") && reading.facts.iter().any(orphan)
}

fn says(event: &Event, what: impl Fn(&Value) -> bool) -> bool {
    serde_json::from_str(&event.body).is_ok_and(|body: Value| what(&body))
}

fn is_new(reason: &str) -> bool {
    !REASONS.contains(&reason)
}

fn has_new_key(body: &Value) -> bool {
    body.as_object().is_some_and(|event| event.keys().any(|key| !ENVELOPE.contains(&key.as_str())))
}
