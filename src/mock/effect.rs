//! Effects: what a service did downstream that can be counted from outside.
//!
//! Must not know: who counts them.

use crate::id::DoubleName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One effect of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A contact was made.
    ContactCreated {
        /// Its id.
        contact: String,
        /// Its e-mail.
        email: Option<String>,
    },
    /// Properties of a contact changed; only those whose value is another one now (an equal write is no effect).
    ContactUpdated {
        /// Its id.
        contact: String,
        /// Property: value before, value now.
        changed: BTreeMap<String, (Option<String>, Option<String>)>,
    },
    /// A ticket was opened.
    TicketCreated {
        /// Its id.
        ticket: String,
        /// The caller's key.
        external_id: Option<String>,
        /// Its queue.
        queue: Option<String>,
    },
    /// A ticket changed.
    TicketUpdated {
        /// Its id.
        ticket: String,
    },
    /// A task for the sales people was made in the CRM.
    TaskCreated {
        /// Its id.
        task: String,
        /// The contact that it belongs to.
        contact: Option<String>,
        /// Subject line.
        subject: String,
    },
    /// A Checkout session was opened through Stripe's API.
    SessionOpened {
        /// Its id.
        session: String,
    },
    /// A subscription was cancelled through Stripe's API.
    SubscriptionCanceled {
        /// Its id.
        subscription: String,
    },
    /// Something that a declared double counts.
    Declared {
        /// Which double.
        double: DoubleName,
        /// Its name there: `receipt`.
        effect: String,
        /// What tells two of them apart, or makes them one; empty where nothing is declared.
        key: String,
        /// Further values, by the names that are declared.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<String, String>,
    },
    /// An alert was raised.
    AlertRaised {
        /// Its kind.
        alert: String,
        /// What makes two reports one alert.
        key: Option<String>,
    },
}

/// A contact of the CRM double.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Its id, a decimal number as text.
    pub id: String,
    /// All properties.
    pub properties: BTreeMap<String, String>,
    /// When it was made, milliseconds after the start of the run.
    pub created_ms: u64,
    /// Whether the CRM's own people made it before the run.
    pub given: bool,
}

/// A ticket of the desk double.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its id, a decimal number as text.
    pub id: String,
    /// The caller's key.
    pub external_id: Option<String>,
    /// Subject line.
    pub subject: String,
    /// Queue: the first tag of the form `queue_<name>`, without the prefix.
    pub queue: Option<String>,
    /// E-mail of the requester.
    pub requester: Option<String>,
    /// `new`, `open`, `solved`, …
    pub status: String,
    /// All tags.
    pub tags: Vec<String>,
    /// When it was made, milliseconds after the start of the run.
    pub created_ms: u64,
}
