//! The plan as it is saved (`plan.json`): enough to send the same deliveries again without the scenario or the seed.
//!
//! All times `_ms` are milliseconds after the start of the run. No secret is in a plan: signatures are made at send time.
//! Must not know: how a plan is made or carried out.

use crate::{
    id::{CustomerId, DeliveryId, EventId, InstanceId, InvoiceId, SubscriptionId, UserId},
    scenario::{
        fault::{BadSignature, Double, MalformedBody, Place},
        model::{Agent, Page},
    },
    stripe::recording::Expectation,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the `plan.json` format.
pub const PLAN_VERSION: u32 = 1;

/// Scenario and seed, compiled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Seed it was compiled with.
    pub seed: u64,
    /// Payload epoch: the `created` of the last event of each chain of stories falls on it.
    pub epoch: Timestamp,
    /// Waits between attempts of a delivery.
    pub retry_waits_ms: Vec<u64>,
    /// After this long without an answer an attempt is indefinite.
    pub timeout_ms: u64,
    /// Budget of the quiet phase.
    pub quiet_budget_ms: u64,
    /// The customers.
    pub instances: Vec<Instance>,
    /// What is sent, sorted by phase, time and id.
    pub deliveries: Vec<Delivery>,
    /// What people do, sorted by time.
    pub steps: Vec<PlannedStep>,
    /// When doubles misbehave.
    pub outages: Vec<Outage>,
    /// When the service is killed.
    pub kills: Vec<Kill>,
    /// Contacts that exist before the run.
    pub given: Vec<PlannedContact>,
    /// Every fault in words, with what stays owed, in scenario order.
    pub faults: Vec<String>,
    /// Bodies by the hex SHA-256 of their bytes.
    pub bodies: BTreeMap<String, String>,
}

impl Plan {
    /// How many customers live through it: chains of stories, without those who only stand in forged bodies.
    pub fn customers(&self) -> u64 {
        self.instances.iter().filter(|i| !i.ghost && i.continues.is_none()).count() as u64
    }
}

/// One re-keyed customer living through one story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// `<story>/<number>`.
    pub id: InstanceId,
    /// Story within the scenario.
    pub story: String,
    /// Instance that this one goes on from: same customer, later.
    pub continues: Option<InstanceId>,
    /// First instance with the same person (user and e-mail); itself when there is none other.
    pub person: InstanceId,
    /// The app's id of the person.
    pub user: Option<UserId>,
    /// Their e-mail, at `example.com`.
    pub email: Option<String>,
    /// Stripe customer.
    pub customer: Option<CustomerId>,
    /// Subscription.
    pub subscription: Option<SubscriptionId>,
    /// Checkout session.
    pub session: Option<String>,
    /// Event that completes the Checkout: activation is measured from its first planned send.
    pub completes_with: Option<EventId>,
    /// Invoices with an owed `invoice.payment_failed`.
    pub failed_invoices: Vec<InvoiceId>,
    /// What is right at the end of this story, by hand; absent for imported traffic.
    pub end: Option<Expectation>,
    /// A customer who does not exist: the content of forged deliveries. Must leave no trace.
    pub ghost: bool,
}

/// One event bound for the endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// `d0001`, in the order of the plan.
    pub id: DeliveryId,
    /// Whose event it is.
    pub instance: InstanceId,
    /// Event id inside the body (of a forged one: that of the genuine event it imitates); absent when the body is no event.
    pub event: Option<EventId>,
    /// Event type; of a malformed body a word for it.
    pub event_type: String,
    /// What kind of delivery it is.
    pub kind: DeliveryKind,
    /// SHA-256 of the body in [`Plan::bodies`].
    pub body: String,
    /// Planned time of the first attempt; for [`Phase::Replay`] after the start of that phase.
    pub at_ms: u64,
    /// In which phase it leaves.
    pub phase: Phase,
    /// How it is signed.
    pub signature: Signing,
    /// This many first attempts are lost before they arrive.
    pub drop_first: u32,
    /// The right reaction.
    pub expect: Reaction,
    /// Whether an effect is owed for it. Of several deliveries of one event each is owed, the effect is one.
    pub owed: bool,
    /// Index of the fault that made or changed it, in [`Plan::faults`].
    pub faults: Vec<usize>,
}

/// What kind of delivery it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryKind {
    /// The recorded event.
    Genuine,
    /// The same event again.
    Duplicate,
    /// An imitation.
    Forged(BadSignature),
    /// A body that is no event.
    Malformed(MalformedBody),
    /// An event of a type that no app knows.
    UnknownType,
}

/// In which phase a delivery leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// While the faults are on.
    Faults,
    /// After the quiet phase: the full second replay.
    Replay,
}

/// How a delivery is signed, at the time of each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// With the endpoint's secret.
    Genuine,
    /// With two secrets, the one that the app knows at the given place.
    Rolled(Place),
    /// Badly.
    Bad(BadSignature),
}

/// The right reaction to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Any 2xx.
    Accept,
    /// A 4xx.
    Refuse,
    /// Either.
    Either,
}

/// Something that a person does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// When.
    pub at_ms: u64,
    /// Who.
    pub instance: InstanceId,
    /// What.
    pub action: Action,
    /// With which browser.
    pub agent: Agent,
}

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Signs up.
    SignUp,
    /// Looks at a page.
    Visit(Page),
}

/// A time in which a double misbehaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Which double.
    pub of: Double,
    /// From.
    pub from_ms: u64,
    /// Until (exclusive).
    pub until_ms: u64,
    /// Answer with this status instead of working; `None` works, after `delay_ms`.
    pub answer: Option<u16>,
    /// Value of `Retry-After`, seconds.
    pub retry_after_s: Option<u64>,
    /// How long each answer takes.
    pub delay_ms: u64,
}

/// A kill of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// When.
    #[serde(flatten)]
    pub at: KillAt,
    /// Started again after this.
    pub restart_after_ms: u64,
    /// Which of the processes that are up then is killed: the number drawn for it, to be divided by how many there are.
    /// Absent when it is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<u32>,
}

/// The moment of a kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillAt {
    /// As soon as this delivery is first acknowledged.
    OnAckOf(DeliveryId),
    /// At this time of the run.
    AtMs(u64),
    /// Right after the scheduling point of this number, from 1, in the process that passes it (simulated only). A run
    /// with fewer points has no kill.
    AtPoint(u64),
}

/// A contact that exists in the CRM before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedContact {
    /// Whose.
    pub instance: InstanceId,
    /// Property names and values.
    pub properties: BTreeMap<String, String>,
}
