//! Kinds of records. Times `_ms` are milliseconds after the start of the run, latencies `_us` microseconds.
//!
//! No secret and no signature is ever in a record; texts from the wire are cut and redacted before they get here.
//! Must not know: judging.

pub use crate::mock::effect::{Contact, Effect, Ticket};
use crate::{
    id::{DeliveryId, InstanceId},
    plan::model::{Action, PlannedStep},
    scenario::fault::Double,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the `history.jsonl` format.
pub const HISTORY_VERSION: u32 = 1;

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number, from 1, without gaps.
    pub n: u64,
    /// When it was recorded.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub record: Record,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// First record: what ran, with all effective options.
    Start(Start),
    /// A phase began.
    Phase {
        /// Which.
        phase: RunPhase,
    },
    /// An attempt left (or was lost by a fault).
    Attempt(Attempt),
    /// An attempt ended.
    Reply(Reply),
    /// The service called a double.
    Call(Call),
    /// A probe read the state of a customer.
    Probe(Probe),
    /// A person did a step.
    Visit(Visit),
    /// A fault is planned (all are told when the run begins: `[0] …`, with what stays owed), began or ended.
    Fault {
        /// In words.
        what: String,
        /// Planned or began (true), or ended.
        on: bool,
    },
    /// The service process was started, was ready, was killed or ended by itself.
    Process {
        /// Which.
        event: ProcessEvent,
        /// Exit status or the like.
        detail: Option<String>,
    },
    /// The service reported its queue.
    Queue(Queue),
    /// State of a double: after each quiet phase.
    Ledger {
        /// CRM contacts.
        contacts: Vec<Contact>,
        /// Support tickets.
        tickets: Vec<Ticket>,
    },
    /// Files were looked through for secrets, before the end.
    Secrets(SecretsLooked),
    /// A page was measured with Lighthouse, before the end.
    Page(PageMeasured),
    /// Last record.
    End {
        /// Whether the plan was carried out to its end; the reason when not.
        incomplete: Option<String>,
        /// Sender's lateness against the plan over all attempts, 99th percentile.
        lateness_p99_us: u64,
    },
}

/// Files that were looked through for secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretsLooked {
    /// As the scenario names them.
    pub paths: Vec<String>,
    /// How many files.
    pub files: u64,
    /// How many secrets.
    pub found: u64,
    /// The first of them: rule, file, line and column. Never a secret.
    pub places: Vec<String>,
    /// What could not be looked through, and why.
    pub unread: Vec<String>,
}

/// A page that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageMeasured {
    /// As the scenario names it.
    pub url: String,
    /// How often.
    pub runs: u32,
    /// The middle of the points of each category; none where it could not be measured.
    pub scores: BTreeMap<String, Option<u8>>,
    /// Why it was not measured, or not wholly.
    pub error: Option<String>,
}

/// What ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// [`HISTORY_VERSION`].
    pub version: u32,
    /// Version of hookdrill.
    pub hookdrill: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// Payload epoch.
    pub epoch: Timestamp,
    /// Wall time of millisecond 0.
    pub started: Timestamp,
    /// `live` or `simulated`.
    pub body: String,
    /// `embedded reference service` or the webhook URL.
    pub target: String,
    /// What the target can be asked: `access_probe`, `crm`, `queue`, …
    pub abilities: Vec<String>,
    /// Further effective options by name.
    pub options: BTreeMap<String, String>,
}

/// A phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// Before the faults: the stories as they are, for comparison. Ends with probes and a ledger.
    Clean,
    /// Deliveries and faults.
    Faults,
    /// Faults off; retries and jobs drain. Ends with probes and a ledger.
    Quiet,
    /// Everything once more.
    Replay,
    /// Draining again; ends with probes and a ledger.
    QuietAfterReplay,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// From 1.
    pub attempt: u32,
    /// When it should leave.
    pub planned_ms: u64,
    /// How much later it left, microseconds.
    pub late_us: u64,
    /// Lost by a fault before it arrived: never on the wire, no reply follows.
    pub dropped: bool,
    /// What a fault did to it on its way: the fault's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Faults of the scenario that made or changed its delivery, by their numbers (the first notes of a history tell them).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<usize>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 2xx.
    Acked,
    /// Any other answer, or no connection: certainly not acknowledged.
    Refused,
    /// Time-out or reset after sending: may have been processed.
    Indefinite,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// From 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Status code when there was an answer.
    pub status: Option<u16>,
    /// From the planned send to the end of the answer.
    pub latency_us: u64,
    /// Why there was no answer.
    pub reason: Option<String>,
    /// Start of the answer's text, redacted; kept for answers other than 2xx.
    pub text: Option<String>,
    /// Leaks found in the whole answer before it was cut: `stack trace`, `secret`, `internals`.
    #[serde(default)]
    pub leaks: Vec<String>,
}

/// A call of the service to a double.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Which double.
    pub double: Double,
    /// `search_contacts`, `create_contact`, `update_contact`, `create_ticket`, `search_tickets`, `update_ticket`, or
    /// `unknown`.
    pub operation: String,
    /// Status of the answer.
    pub status: u16,
    /// Whether a fault kept the model's own answer from the caller.
    pub faulted: bool,
    /// What a fault did to it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Customers whom it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<InstanceId>,
    /// What it did.
    pub effects: Vec<Effect>,
}

/// A reading of a customer's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Whose.
    pub instance: InstanceId,
    /// Read at the end of a quiet phase (false: while waiting for activation).
    pub last: bool,
    /// Whether the app knows the customer; absent when the probe failed.
    pub known: Option<bool>,
    /// Whether access is open.
    pub access: Option<bool>,
    /// Subscription status in the app's words.
    pub status: Option<String>,
    /// Plan in the app's words.
    pub plan: Option<String>,
    /// Named values, as numbers.
    #[serde(default)]
    pub values: BTreeMap<String, i64>,
    /// SHA-256 of the app's whole answer, to tell whether anything changed.
    pub digest: Option<String>,
    /// The app's whole answer, where it is compared with that of another customer; absent when it is too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<serde_json::Value>>,
    /// Why there is no reading.
    pub error: Option<String>,
}

/// Longest answer that a record keeps whole, in bytes of JSON.
pub const LONGEST_ANSWER: usize = 64 * 1024;

impl Probe {
    /// Keeps the app's answer, unless it is too long.
    pub fn keep_answer(&mut self, answer: &serde_json::Value) {
        self.answer = (answer.to_string().len() <= LONGEST_ANSWER).then(|| Box::new(answer.clone()));
    }

    /// A probe that has read nothing yet.
    pub const fn unread(instance: InstanceId, last: bool) -> Self {
        Self {
            instance,
            last,
            known: None,
            access: None,
            status: None,
            plan: None,
            values: BTreeMap::new(),
            digest: None,
            answer: None,
            error: None,
        }
    }
}

/// A step of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// Who.
    pub instance: InstanceId,
    /// What they did.
    pub action: Action,
    /// Key of the planned ticket that the step must lead to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Status code when there was an answer.
    pub status: Option<u16>,
    /// What the page showed: the value of `data-activation` (`pending`, `active`, …) when it has one.
    pub shows: Option<String>,
    /// Leaks found in the whole answer: `stack trace`, `secret`, `internals`.
    #[serde(default)]
    pub leaks: Vec<String>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl Visit {
    /// A step that nothing has answered yet.
    pub fn unanswered(instance: InstanceId, step: &PlannedStep) -> Self {
        Self {
            instance,
            action: step.action,
            ticket: step.ticket.as_ref().map(|ticket| ticket.key.clone()),
            status: None,
            shows: None,
            leaks: Vec::new(),
            error: None,
        }
    }
}

/// What became of the service process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessEvent {
    /// Started.
    Started,
    /// Answers.
    Ready,
    /// Killed by a fault.
    Killed,
    /// Ended by itself: a crash that no fault asked for.
    Died,
    /// Told to stop by a fault: it finishes what it has begun.
    Stopping,
    /// Ended as it was told to.
    Stopped,
}

/// What the service says of its own work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Jobs waiting or running.
    pub pending: u64,
    /// Jobs given up.
    pub dead: u64,
    /// Customers whose own state and CRM contact disagree, or that could not be tied to a person. Only the last reading has
    /// it: it takes a look at every customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<u64>,
    /// Tickets in no queue.
    pub unrouted: u64,
    /// Events stored, each id once.
    pub events: u64,
    /// Read at the end of a quiet phase.
    pub last: bool,
}
