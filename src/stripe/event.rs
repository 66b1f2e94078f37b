//! The event envelope, together with the bytes it came in: the signature covers bytes, so they are fixed once and
//! never written again.
//!
//! Must not know: what an event means for a customer.

use crate::id::EventId;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use std::{fmt, sync::Arc};

/// One Stripe event: the envelope fields that routing needs, and the body exactly as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`
    pub id: EventId,
    /// `invoice.paid`, `customer.subscription.updated`, …
    pub kind: String,
    /// Unix seconds at which Stripe made the event. Whole seconds: cannot order a burst (facts: one flow, one second).
    pub created: i64,
    /// Version the body is rendered in, frozen when the event was made.
    pub api_version: Option<String>,
    /// Whether it belongs to live mode.
    pub livemode: bool,
    /// Connected account, on Connect events only.
    pub account: Option<String>,
    /// The body as recorded.
    pub body: Arc<str>,
}

#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Envelope {
    id: String,
    object: String,
    #[serde(rename = "type")]
    kind: String,
    created: serde_json::Value,
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    livemode: Option<serde_json::Value>,
    #[serde(default)]
    account: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object under `data`")]
struct Data {
    #[serde(rename = "object")]
    _object: AnObject,
}

/// A JSON object of whatever content. It is read to its end, so that broken text is found, and nothing of it is built:
/// this is the larger part of every webhook.
struct AnObject;

impl<'de> Deserialize<'de> for AnObject {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = AnObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<AnObject, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(AnObject)
            }
        }
        from.deserialize_map(Members)
    }
}

/// Why a text is not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON at all, or cut off; the position is that of the parser, 1-based.
    #[error("not valid JSON at line {line}, column {column}: {what}")]
    Json {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// The parser's words.
        what: String,
    },
    /// JSON, but another thing than an event.
    #[error("not a Stripe event: {what}")]
    NotAnEvent {
        /// What is missing or different.
        what: String,
    },
}

impl Event {
    /// Reads one event and keeps `body` as it stands.
    ///
    /// # Errors
    /// [`EventError::Json`] with the place when the text is no JSON, [`EventError::NotAnEvent`] when it is JSON without
    /// `"object": "event"`, `id`, `type`, whole-second `created` and `data.object`.
    pub fn parse(body: &str) -> Result<Self, EventError> {
        let envelope: Envelope = serde_json::from_str(body).map_err(|error| describe(body, &error))?;
        let not = |what: &str| Err(EventError::NotAnEvent { what: what.to_owned() });
        if envelope.object == "v2.core.event" {
            return not("`object` is \"v2.core.event\" (a thin event, which has no data to replay)");
        }
        if envelope.object != "event" {
            return not(&format!("`object` is \"{}\", expected \"event\"", envelope.object));
        }
        if envelope.id.is_empty() || envelope.kind.is_empty() {
            return not("`id` or `type` is empty");
        }
        if envelope.data.is_none() {
            return not("`data` is missing");
        }
        let Some(created) = envelope.created.as_i64() else {
            return not("`created` is not a whole number of Unix seconds");
        };
        // Absent in hand-written bodies, and then meant as test mode. Anything but a boolean could hide live mode.
        let livemode = match envelope.livemode {
            None => false,
            Some(serde_json::Value::Bool(livemode)) => livemode,
            Some(_) => return not("`livemode` is neither true nor false"),
        };
        Ok(Self {
            id: EventId::new(envelope.id),
            kind: envelope.kind,
            created,
            api_version: envelope.api_version,
            livemode,
            account: envelope.account,
            body: Arc::from(body),
        })
    }

    /// `data.object` of the body.
    pub fn object(&self) -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body.pointer("/data/object").cloned().unwrap_or_default()
    }
}

fn describe(body: &str, error: &serde_json::Error) -> EventError {
    if error.is_data() && serde_json::from_str::<IgnoredAny>(body).is_ok() {
        return EventError::NotAnEvent { what: words(error) };
    }
    let what = words(error);
    EventError::Json { line: error.line(), column: error.column(), what }
}

/// The parser's words without its own position, which the caller gives (or which points at the end of an object that
/// lacks a key).
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str =
        r#"{"id":"evt_1","object":"event","created":5,"type":"invoice.paid","data":{"object":{"id":"in_1"}}}"#;

    #[test]
    fn keeps_the_body_as_it_stands() {
        let event = Event::parse(SMALL).expect("an event");
        assert_eq!(&*event.body, SMALL);
        assert_eq!((event.id.as_str(), event.kind.as_str(), event.created), ("evt_1", "invoice.paid", 5));
        assert_eq!(event.object()["id"], "in_1");
    }

    #[test]
    fn says_where_json_breaks_and_what_is_no_event() {
        let cut = Event::parse(&SMALL[..40]).expect_err("cut off");
        assert!(matches!(cut, EventError::Json { line: 1, .. }), "{cut}");
        for other in
            ["{}", "[]", "3", r#"{"object":"list","data":[]}"#, &SMALL.replace("\"event\"", "\"v2.core.event\"")]
        {
            let error = Event::parse(other).expect_err(other);
            assert!(matches!(error, EventError::NotAnEvent { .. }), "{other}: {error}");
        }
    }
}
