//! A recording: the ordered events of one customer story, its provenance, and what is right after it.
//!
//! The truth (`story.toml`) is written by hand beside the events; nothing here derives it from their bodies.
//! Must not know: plans, faults, targets.

use super::{
    event::Event,
    import::{self, ImportErrors, ImportOptions},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// Ordered events of one customer story.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Name: the folder's or the file's.
    pub name: String,
    /// Events in the order in which they were delivered, each with the file (or `file:line`) it came from.
    pub events: Vec<RecordedEvent>,
    /// The hand-written truth; absent for imported traffic.
    pub story: Option<Story>,
}

impl Recording {
    /// Loads a story, a folder or a file; see [`import::load`].
    ///
    /// # Errors
    /// Every bad place, with file, line and column.
    pub fn load(path: &Path, options: ImportOptions) -> Result<Self, ImportErrors> {
        import::load(path, options)
    }
}

/// One event of a recording and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    /// File name within the recording, for messages and for `[[after]]`.
    pub file: String,
    /// The event.
    pub event: Event,
}

/// `story.toml`: who the recording is about and what is right after each event and at the end.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// Format version, 1.
    pub version: u32,
    /// The folder's name again.
    pub name: String,
    /// What happens, in a sentence or two.
    pub about: String,
    /// Recorded from real traffic, or written by hand.
    pub provenance: Provenance,
    /// Version the bodies are rendered in.
    pub api_version: String,
    /// Where the order of the events comes from.
    pub source: String,
    /// Story that this one goes on from, with the same customer.
    pub continues: Option<String>,
    /// The app's own id of the person, as it stands in the bodies.
    pub user: Option<String>,
    /// The person's e-mail, as it stands in the bodies.
    pub email: Option<String>,
    /// Stripe customer id, as it stands in the bodies.
    pub customer: Option<String>,
    /// Subscription id, as it stands in the bodies.
    pub subscription: Option<String>,
    /// Checkout session id, as it stands in the bodies.
    pub session: Option<String>,
    /// File of the event that completes the Checkout: activation is measured from it.
    pub completes_with: Option<String>,
    /// What besides ids belongs to the customer.
    #[serde(default)]
    pub rekey: RekeyTable,
    /// Where the bodies differ from the newest API version, object by object.
    #[serde(default)]
    pub version_difference: Vec<VersionDifference>,
    /// What is right after each event, in order.
    #[serde(default)]
    pub after: Vec<After>,
    /// What is right at the end, in whatever order and however often the events came.
    pub end: Expectation,
}

/// Where a recording comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Captured from real traffic (scrubbed).
    Recorded,
    /// Written by hand after documentation and recorded sequences.
    Synthetic,
}

/// `[rekey]`: paths whose values belong to the customer although they do not look like Stripe ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RekeyTable {
    /// Dotted paths into `data.object`.
    #[serde(default)]
    pub paths: Vec<String>,
}

/// `[[version_difference]]`: keys that the bodies have or lack against the newest API version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionDifference {
    /// Object type.
    pub object: String,
    /// Keys that the bodies have in addition.
    #[serde(default)]
    pub adds: Vec<String>,
    /// Keys that the bodies lack.
    #[serde(default)]
    pub removes: Vec<String>,
    /// Why.
    pub why: String,
}

/// `[[after]]`: what is right after one event when all before it came once and in order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The event's file.
    pub event: String,
    /// Whether the person has access.
    pub access: Access,
    /// Subscription status that the app should hold; `none` when it has none.
    pub status: String,
    /// Plan tier; `none` when there is none.
    pub plan: String,
    /// CRM contacts of this customer.
    pub contacts: u32,
    /// Tickets by queue.
    #[serde(default)]
    pub tickets: BTreeMap<String, u32>,
}

/// What is right for a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Whether the person has access.
    pub access: Access,
    /// Subscription status that the app should hold; `none` when it has none.
    pub status: String,
    /// Plan tier; `none` when there is none.
    pub plan: String,
    /// CRM contacts of this customer.
    pub contacts: u32,
    /// Tickets by queue.
    #[serde(default)]
    pub tickets: BTreeMap<String, u32>,
}

/// Whether a person may use what they pay for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Never had it.
    None,
    /// Has it.
    Granted,
    /// Had it and lost it.
    Revoked,
}

impl Access {
    /// Whether the door is open: what a probe can see of it.
    pub fn is_open(self) -> bool {
        self == Self::Granted
    }
}
