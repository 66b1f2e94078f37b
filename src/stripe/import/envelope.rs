//! The wrappings in which tools keep an event: captures of requests, exports, envelopes of clouds and queues.
//!
//! | tool | where the event is |
//! |---|---|
//! | n8n, Braze, request bins | `body`, `payload`, `json.body`, an object or a text |
//! | Hookdeck (`GET /events`, `/requests`) | `models[].data.body`, an object or a text |
//! | Svix (`GET …/msg`) | `data[].payload` |
//! | Amazon EventBridge, SQS, SNS, Lambda | `detail`, `Records[].body`, `Message`; a text inside a text |
//! | Azure Event Grid, CloudEvents | `data` |
//! | HAR | `log.entries[].request.postData.text`, `….response.content.text`, base64 where it says so |
//!
//! Must not know: what an event is.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An object, its values not read further.
pub(super) type Object<'a> = BTreeMap<String, &'a RawValue>;

/// Keys under which one event, or the next wrapping, stands; the first that there is counts.
const ONE: [&str; 14] = [
    "body", "rawBody", "raw_body", "payload", "detail", "json", "event", "request", "postData", "Message", "data",
    "content", "text", "webhook",
];

/// Keys under which several stand.
const SEVERAL: [&str; 9] =
    ["models", "entries", "Records", "events", "requests", "items", "messages", "deliveries", "results"];

/// What is inside a wrapping.
pub(super) enum Inside<'a> {
    /// Several things, in order.
    Several(Vec<&'a RawValue>),
    /// One thing that stands in the file as it is.
    One(&'a RawValue),
    /// One thing that the wrapping keeps as a text; where that stands, and what it says.
    Text(&'a RawValue, String),
    /// Requests and answers that a browser or a proxy saw: most are no events, and that is no error.
    Traffic(Vec<&'a RawValue>),
    /// Nothing: why, when that can be told.
    Nothing(Option<&'static str>),
}

/// Reads an object; an empty one when it is none.
pub(super) fn object(text: &str) -> Object<'_> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Opens one wrapping.
pub(super) fn open<'a>(object: &Object<'a>) -> Inside<'a> {
    let log = object.get("log").copied().map(|log| self::object(log.get()));
    if let Some(entries) = log.and_then(|log| array(log.get("entries").copied()?)) {
        return Inside::Traffic(entries);
    }
    let list = SEVERAL.iter().find_map(|key| array(object.get(*key).copied()?));
    // Svix's list is under `data`, beside what tells where the next page begins.
    let paged = ["iterator", "done", "next", "cursor", "pagination"].iter().any(|key| object.contains_key(*key));
    let list = list.or_else(|| if paged { array(object.get("data").copied()?) } else { None });
    if let Some(items) = list {
        return Inside::Several(items);
    }
    if let Some(why) = empty(object) {
        return Inside::Nothing(Some(why));
    }
    let Some(inner) = ONE.iter().find_map(|key| object.get(*key).copied().filter(|inner| inner.get() != "null")) else {
        return Inside::Nothing(None);
    };
    match inner.get().as_bytes()[0] {
        b'"' => Inside::Text(inner, text(object, inner)),
        b'[' => array(inner).map_or(Inside::Nothing(None), Inside::Several),
        _ => Inside::One(inner),
    }
}

/// The bodies of an entry of a HAR: what was sent, and what came back.
pub(super) fn bodies(entry: &RawValue) -> Vec<(&RawValue, String)> {
    let entry = object(entry.get());
    let part = |side: &str, key: &str| {
        let side = object(entry.get(side).copied()?.get());
        let holder = object(side.get(key).copied()?.get());
        let inner = holder.get("text").copied()?;
        inner.get().starts_with('"').then(|| (inner, text(&holder, inner)))
    };
    [part("request", "postData"), part("response", "content")].into_iter().flatten().collect()
}

/// What a text says, base64 undone where the wrapping says that it is.
fn text(holder: &Object<'_>, inner: &RawValue) -> String {
    let text: String = serde_json::from_str(inner.get()).unwrap_or_default();
    let says = |key: &str, value: &str| holder.get(key).is_some_and(|found| found.get() == value);
    let encoded = says("encoding", "\"base64\"") || says("_encoding", "\"base64\"") || says("isBase64Encoded", "true");
    // Some exports say nothing of it.
    let plain = text.trim_start().starts_with(['{', '[']);
    if !encoded && plain {
        return text;
    }
    let bytes = STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text)
}

/// Exports that hold no bodies at all.
fn empty(object: &Object<'_>) -> Option<&'static str> {
    let has = |key: &str| object.contains_key(key);
    let missing = |key: &str| object.get(key).is_none_or(|value| value.get() == "null");
    if (has("event_data_id") || has("original_event_data_id")) && missing("data") {
        return Some("an export of Hookdeck without bodies; ask its API for each event, or with `include=data`");
    }
    if has("request_id") && has("method") && has("url") && missing("body") {
        return Some(
            "a line of `stripe logs tail`, which tells of API requests and holds no events; use `stripe listen --format JSON`",
        );
    }
    (has("eventType") && has("channels") && missing("payload"))
        .then_some("an export of Svix without payloads; ask for it with `with_content=true`")
}

fn array(value: &RawValue) -> Option<Vec<&RawValue>> {
    value.get().starts_with('[').then(|| serde_json::from_str(value.get()).unwrap_or_default())
}
