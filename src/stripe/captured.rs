//! What is kept of a delivery beside its event: when it came, in which attempt, with which headers, whether its signature was
//! good, and how it was answered. One JSON object a line.
//!
//! Must not know: files, sockets, clocks.

use super::scrub::Scrubber;
use serde::{Deserialize, Serialize};

/// Stands for what is not kept.
pub const NOT_KEPT: &str = "[not kept]";

/// Headers whose values are never kept, whatever is asked for.
const SECRET: [&str; 5] = ["cookie", "set-cookie", "authorization", "proxy-authorization", "x-hub-signature"];

/// Parts of names of headers whose values are not kept either: a tunnel or a gateway may send its own keys.
const SECRET_PARTS: [&str; 8] = ["token", "secret", "api-key", "apikey", "session", "jwt", "csrf", "password"];

/// Name of the header that holds a delivery's signature.
pub const SIGNATURE: &str = "stripe-signature";

/// One line beside a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A delivery came.
    Delivery(Delivery),
    /// It was answered.
    Answer(Answer),
}

/// A delivery, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Number in order of arrival, from 1.
    pub delivery: u64,
    /// When its last byte had come, RFC 3339 in UTC with milliseconds.
    pub at: String,
    /// The event's id, when it was an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The event's type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which delivery of this event it is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// File of its body, from the recording's folder; that of an earlier delivery when the bodies say the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why its body is not kept, or what is odd about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Bytes of the body, as it came.
    pub bytes: usize,
    /// `valid`, `not checked`, or why it is not good.
    pub signature: String,
    /// `POST`, mostly.
    pub method: String,
    /// Where it was sent to; values of the query are not kept.
    pub path: String,
    /// Names in lower case with their values, in order.
    pub headers: Vec<(String, String)>,
}

/// How a delivery was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Number of the delivery.
    pub answer: u64,
    /// Status that went back.
    pub status: u16,
    /// Milliseconds from the delivery's last byte to the answer.
    pub after_ms: u64,
    /// Why it is not the app's own answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// The value of a header as it is kept; `name` in lower case. With a scrubber nothing personal stays, and of the signature
/// the time alone: made over the original bytes, it would let whoever has the endpoint's secret try what stood there.
pub fn kept_header(name: &str, value: &str, scrubber: Option<&mut Scrubber>) -> String {
    if SECRET.contains(&name) || SECRET_PARTS.iter().any(|part| name.contains(part)) {
        return NOT_KEPT.to_owned();
    }
    let Some(scrubber) = scrubber else { return value.to_owned() };
    if name != SIGNATURE {
        return scrubber.line(value);
    }
    let item = |item: &str| match item.split_once('=') {
        Some(("t", time)) if time.bytes().all(|byte| byte.is_ascii_digit()) => format!("t={time}"),
        Some((scheme @ ("v0" | "v1"), _)) => format!("{scheme}={NOT_KEPT}"),
        Some(_) | None => NOT_KEPT.to_owned(),
    };
    value.split(',').map(item).collect::<Vec<_>>().join(",")
}

/// The path of a request as it is kept: endpoints carry tokens in the query.
pub fn kept_path(path_and_query: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else { return path_and_query.to_owned() };
    let pair = |pair: &str| format!("{}={NOT_KEPT}", pair.split('=').next().unwrap_or_default());
    format!("{path}?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&"))
}

/// Whether JSON says anywhere that it is of live mode.
pub fn is_live(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(object) => object.iter().any(|(key, value)| {
            key == "livemode" && *value != serde_json::Value::Bool(false) && !value.is_null() || is_live(value)
        }),
        serde_json::Value::Array(items) => items.iter().any(is_live),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_headers_are_never_kept() {
        for name in ["cookie", "authorization", "x-gateway-token", "x-api-key"] {
            assert_eq!(kept_header(name, "abc", None), NOT_KEPT);
        }
        assert_eq!(kept_header("user-agent", "Stripe/1.0", None), "Stripe/1.0");
        let signature = "t=1492774577,v1=5257a869,v0=6ffbb59b";
        assert_eq!(kept_header(SIGNATURE, signature, None), signature);
        let mut scrubber = Scrubber::new([1; 32]);
        assert_eq!(kept_header(SIGNATURE, signature, Some(&mut scrubber)), "t=1492774577,v1=[not kept],v0=[not kept]");
        assert!(!kept_header("x-forwarded-for", "84.12.3.4", Some(&mut scrubber)).contains("84.12"));
        assert_eq!(kept_path("/hook?token=abc&x"), "/hook?token=[not kept]&x=[not kept]");
    }

    #[test]
    fn live_mode_is_seen_wherever_it_is_said() {
        let live = |text: &str| is_live(&serde_json::from_str(text).expect("JSON"));
        assert!(live(r#"{"detail":{"livemode":true}}"#) && live(r#"[{"livemode":"true"}]"#));
        assert!(!live(r#"{"livemode":false,"a":[{"livemode":null}]}"#));
    }
}
