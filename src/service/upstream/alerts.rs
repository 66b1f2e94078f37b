//! Calls to the receiver of alerts: one POST of JSON.
//!
//! Must not know: sockets, jobs, clocks, when an alert is right.

use super::Parts;
use serde_json::{Value, json};

/// An alert as it is posted. It names ids and counts, never a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Posted {
    /// Its kind.
    pub alert: String,
    /// What makes two posts one alert.
    pub key: String,
    /// In a sentence.
    pub text: String,
    /// When it was raised, UTC.
    pub at: String,
}

impl Posted {
    /// Under which the receiver knows a second post of the same alert.
    pub(super) fn identity(&self) -> String {
        format!("{}/{}", self.alert, self.key)
    }
}

/// The call as HTTP. The whole URL is the receiver's, so the path adds nothing.
pub(super) fn parts(posted: &Posted) -> Parts {
    let Posted { alert, key, text, at } = posted;
    let body: Value = json!({"alert": alert, "key": key, "text": text, "at": at, "service": "hookdrill"});
    ("POST", String::new(), vec![], Some(body))
}
