//! Faults as data: what goes wrong, addressed to events, doubles or the process. Each says what stays owed.
//!
//! Must not know: how a fault is carried out.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One `[[fault]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Story it is limited to; all stories when absent.
    pub story: Option<String>,
    /// What it does.
    pub kind: FaultKind,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// The same event again, same id, signed afresh. Owed: one effect.
    Duplicate {
        /// Which events.
        of: EventSelector,
        /// Deliveries in all, the genuine one included (2 or more).
        copies: u32,
        /// When the further copies come.
        spacing: DuplicateSpacing,
    },
    /// Other order within each instance. Everything stays owed.
    Reorder {
        /// How.
        order: Order,
    },
    /// Comes later than planned. Stays owed.
    Delay {
        /// Which events.
        of: EventSelector,
        /// By how much.
        by: Duration,
    },
    /// The first attempts never arrive; the sender's schedule tries again. Stays owed.
    Drop {
        /// Which events.
        of: EventSelector,
        /// How many attempts are lost.
        first: u32,
    },
    /// An extra delivery with the id of the genuine event, the content of a customer who does not exist, and a bad
    /// signature, just before the genuine one. Owed: nothing, and no trace; the genuine one stays owed.
    Forged {
        /// Which events are imitated.
        of: EventSelector,
        /// What is wrong with the signature.
        signature: BadSignature,
    },
    /// An extra, rightly signed delivery whose body is no event. Owed: a safe 4xx answer.
    Malformed {
        /// Before which events it comes.
        before: EventSelector,
        /// What is wrong with the body.
        body: MalformedBody,
    },
    /// An extra, rightly signed event of a type that no app knows. Owed: a 2xx answer and no effect.
    UnknownType {
        /// Before which events it comes.
        before: EventSelector,
    },
    /// The signing secret is being rolled: from `from` on, every header carries two `v1`, the good one at `good`.
    SecretRoll {
        /// From this time of the run.
        from: Duration,
        /// Where the signature of the secret that the app knows stands.
        good: Place,
    },
    /// A double answers with an error for a while.
    Outage {
        /// Which double.
        of: Double,
        /// From this time of the run.
        from: Duration,
        /// For how long.
        lasts: Duration,
        /// Status code of the answers (400–599).
        answer: u16,
        /// `Retry-After` of the answers.
        retry_after: Option<Duration>,
    },
    /// A double takes its time for a while.
    Slow {
        /// Which double.
        of: Double,
        /// From this time of the run.
        from: Duration,
        /// For how long.
        lasts: Duration,
        /// How long each answer takes.
        by: Duration,
    },
    /// The service is killed (SIGKILL) as soon as it has acknowledged an event, and started again later. Stays owed.
    Kill {
        /// Which event's first acknowledgement.
        on_ack_of: EventSelector,
        /// Time until it is started again.
        restart_after: Duration,
    },
}

/// When further copies of a duplicate come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateSpacing {
    /// Each this long after the one before; `0s` is concurrent.
    After(Duration),
    /// All once more after the quiet phase, in the same order: the full replay.
    AfterEverything,
}

/// An order of the deliveries of one instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// First these, in this order; then the rest as recorded.
    First(Vec<EventSelector>),
    /// Random, but no event moves by this many places or more.
    Shuffle {
        /// Size of the window, in events (2 or more).
        window: u32,
    },
    /// Last first.
    Reverse,
}

/// Names events by type (`invoice.paid`), by glob (`customer.subscription.*`, `*`), or by type and position
/// among its kind within the recording (`invoice.paid#2`, from 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSelector {
    /// Type or glob, `*` matching any text.
    pub pattern: String,
    /// Position among the events that the pattern matches, from 1.
    pub position: Option<u32>,
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadSignature {
    /// Made with another secret.
    WrongSecret,
    /// Right, but 301 s old: just outside the tolerance of 300 s.
    #[serde(rename = "stale_301s")]
    Stale301s,
    /// Right, but ten minutes old.
    #[serde(rename = "stale_10m")]
    Stale10m,
    /// Right for another body.
    TamperedBody,
    /// No header at all.
    MissingHeader,
    /// A header that is no signature.
    Garbage,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MalformedBody {
    /// JSON that ends in the middle.
    TruncatedJson,
    /// No bytes.
    Empty,
    /// JSON, but not an event.
    NotAnEvent,
}

/// Which of two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The first.
    First,
    /// The last.
    Last,
}

/// A doubled downstream API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Double {
    /// The CRM.
    Crm,
    /// The support desk.
    Support,
}
