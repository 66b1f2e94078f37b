//! Small parts of bodies: texts, references, amounts; and what to keep of a body that is no event of ours.
//!
//! Must not know: what an event means.

use crate::{id::EventId, service::money::Money, stripe::event::Event};
use serde_json::Value;
use std::sync::Arc;

/// The event that a rightly signed body carries. A JSON object with an id that is no event of ours (a thin event of an event
/// destination, an object of a later API) is kept under an id of its own as something that says nothing: refused, it would
/// come again for three days and then disable the endpoint (bug class 38). `None` for what has no id or is no JSON object.
pub fn event(body: &str) -> Option<Event> {
    Event::parse(body).ok().or_else(|| ignored(body))
}

fn ignored(body: &str) -> Option<Event> {
    let value: Value = serde_json::from_str(body).ok()?;
    let id = text(value.as_object()?.get("id")?)?;
    Some(Event {
        // Not the id itself: it must not make a genuine event look known.
        id: EventId::new(format!("ignored:{id}")),
        kind: "ignored".to_owned(),
        created: 0,
        api_version: None,
        livemode: value["livemode"].as_bool().unwrap_or(false),
        account: None,
        body: Arc::from(body),
    })
}

pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// A reference is an id or, expanded, the object.
pub(super) fn reference(value: &Value) -> Option<String> {
    text(value).or_else(|| text(&value["id"]))
}

/// An amount in the smallest unit, with the currency of its object.
pub(super) fn amount(minor: &Value, object: &Value) -> Option<Money> {
    Some(Money::new(minor.as_i64()?, &text(&object["currency"])?))
}
