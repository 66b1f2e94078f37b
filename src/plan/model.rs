//! The plan as it is saved (`plan.json`): enough to send the same deliveries again without the scenario or the seed.
//!
//! All times `_ms` are milliseconds after the start of the run. No secret is in a plan: signatures are made at send time.
//! Must not know: how a plan is made or carried out.

use crate::{
    id::{CustomerId, DeliveryId, DoubleName, EventId, InstanceId, InvoiceId, SubscriptionId, UserId},
    scenario::{
        downstream::{AtCall, Which},
        fault::{Double, MalformedBody, Place, offset},
        forms::{BadSignature, Foreign, GoodSignature},
        model::{Agent, Page},
        transport::Transport,
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
    /// Customers to whom the stories happen without faults, before the faults begin; absent when nothing is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<super::clean::Clean>,
    /// When doubles misbehave.
    pub outages: Vec<Outage>,
    /// What Stripe's own list of events holds, in the order of appearing; absent when nobody can ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe: Option<Vec<StripeEvent>>,
    /// The same where the app can read Stripe's objects without being told, by the scenario, to fetch what never arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Vec<StripeEvent>>,
    /// Whether the service is given a receiver of alerts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alerts: bool,
    /// Declared doubles that the target must call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<DoubleName>,
    /// The quiet phase lasts this long at least.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quiet_least_ms: u64,
    /// What is added to it before the first judgement, where kills or outages left the target something to make up for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recovers_within_ms: u64,
    /// When the store of the service is busy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub store_busy: Vec<Busy>,
    /// When the service's clock is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clock: Vec<ClockOff>,
    /// What goes wrong with calls to doubles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<CallTrouble>,
    /// When the service is killed.
    pub kills: Vec<Kill>,
    /// Contacts that exist before the run.
    pub given: Vec<PlannedContact>,
    /// Every fault in words, with what stays owed, in scenario order.
    pub faults: Vec<String>,
    /// Bodies by the hex SHA-256 of their bytes.
    pub bodies: BTreeMap<String, String>,
}

/// A time in which doubles misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub from_ms: u64,
    /// Until (exclusive); to the end of the faults when absent.
    pub until_ms: Option<u64>,
    /// What happens, in words.
    pub what: String,
}

impl Plan {
    /// When each event appears in Stripe's list, and its body; nothing where nobody can ask for it.
    pub fn listed(&self) -> impl Iterator<Item = (u64, &str)> {
        let events = self.stripe.as_ref().or(self.timeline.as_ref()).into_iter().flatten();
        events.filter_map(|event| Some((event.at_ms, self.bodies.get(&event.body)?.as_str())))
    }

    /// The plan with a timeline of Stripe's, where it has none: of one that was saved without, the genuine events as they are
    /// planned to be sent.
    #[must_use]
    pub fn timed(mut self) -> Self {
        if self.stripe.is_none() && self.timeline.is_none() {
            let genuine =
                self.deliveries.iter().filter(|d| d.kind == DeliveryKind::Genuine && d.phase == Phase::Faults);
            let mut events: Vec<_> =
                genuine.map(|delivery| StripeEvent { at_ms: delivery.at_ms, body: delivery.body.clone() }).collect();
            events.sort_by_key(|event| event.at_ms);
            self.timeline = Some(events);
        }
        self
    }

    /// The plan for a target that takes so long to go on with what a dead process held or a peer refused.
    #[must_use]
    pub fn recovering(mut self, within: std::time::Duration) -> Self {
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        self.recovers_within_ms = if self.leaves_something_to_make_up_for() { within_ms } else { 0 };
        self
    }

    /// Whether processes die or peers refuse.
    pub const fn leaves_something_to_make_up_for(&self) -> bool {
        !self.kills.is_empty() || !self.outages.is_empty() || !self.troubles.is_empty()
    }

    /// Every time in which doubles or the service's surroundings misbehave: outages, troubles of single calls, store, clock.
    pub fn windows(&self) -> Vec<Window> {
        let outages = self.outages.iter().map(|outage| {
            let double = outage.of.word();
            let what = match outage.answer {
                Some(status) => format!("{double} answers {status}"),
                None => format!("{double} takes {} ms to answer", outage.delay_ms),
            };
            Window { from_ms: outage.from_ms, until_ms: Some(outage.until_ms), what }
        });
        let troubles = self.troubles.iter().map(|trouble| {
            let what = trouble.what();
            Window { from_ms: trouble.from_ms, until_ms: trouble.until_ms, what }
        });
        outages.chain(troubles).chain(self.windows_of_the_service()).collect()
    }

    /// Every time in which something is wrong with the service's own surroundings: its store, its clock.
    pub fn windows_of_the_service(&self) -> Vec<Window> {
        let busy = self.store_busy.iter().map(|busy| {
            let what = STORE_BUSY.to_owned();
            Window { from_ms: busy.from_ms, until_ms: Some(busy.until_ms), what }
        });
        let clock = self.clock.iter().map(|clock| {
            let what = format!("{CLOCK} is {}", offset(clock.offset_ms));
            Window { from_ms: clock.from_ms, until_ms: clock.until_ms, what }
        });
        busy.chain(clock).collect()
    }

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
    /// What is right after each of its events when they come once and in order; by hand, as the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
    /// A customer who does not exist: the content of forged deliveries. Must leave no trace.
    pub ghost: bool,
}

/// One step of a story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The event.
    pub event: EventId,
    /// What is right after it and all before it.
    pub right: Expectation,
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
    /// What happens on the way to the attempts after those, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transport: Vec<TransportStep>,
    /// The right reaction.
    pub expect: Reaction,
    /// Whether an effect is owed for it. Of several deliveries of one event each is owed, the effect is one.
    pub owed: bool,
    /// Index of the fault that made or changed it, in [`Plan::faults`].
    pub faults: Vec<usize>,
}

/// What happens on the way to some attempts of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportStep {
    /// What.
    pub how: Transport,
    /// To so many attempts; to all that follow when absent.
    pub attempts: Option<u32>,
}

impl Delivery {
    /// What happens on the way to an attempt (from 1), if anything does.
    pub fn on_the_way(&self, attempt: u32) -> Option<Transport> {
        let mut left = attempt.checked_sub(self.drop_first.checked_add(1)?)?;
        for step in &self.transport {
            match step.attempts {
                Some(attempts) if left >= attempts => left -= attempts,
                Some(_) | None => return Some(step.how),
            }
        }
        None
    }
}

/// A genuine event as Stripe itself has it: no fault of a delivery changes that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripeEvent {
    /// When Stripe made it.
    pub at_ms: u64,
    /// SHA-256 of the body in [`Plan::bodies`].
    pub body: String,
}

/// How a history tells of a clock that is wrong, at the beginning.
pub const CLOCK: &str = "the service's clock";

/// What a history says of a time in which the store is busy.
pub const STORE_BUSY: &str = "the store is locked";

/// A time in which the store of the service is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// From.
    pub from_ms: u64,
    /// Until (exclusive).
    pub until_ms: u64,
}

/// A time in which the clock of the service is wrong. Of several at once the offsets add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOff {
    /// From.
    pub from_ms: u64,
    /// Until (exclusive); to the end of the run when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// By so much; ahead when positive.
    pub offset_ms: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
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
    /// The genuine event, signed so that it need not be refused.
    OddlySigned(BadSignature),
    /// Another event for the same change.
    SecondEvent,
    /// The same event from a second endpoint.
    SecondEndpoint,
    /// An event of somebody or something else.
    Foreign(Foreign),
}

/// In which phase a delivery leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the faults: the stories as they are, for comparison.
    Clean,
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
    /// Well, in an unusual form.
    Good(GoodSignature),
    /// With the secret of a second endpoint.
    SecondEndpoint,
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
    /// The ticket that it must lead to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<PlannedTicket>,
}

/// A ticket that a person's step must lead to, and what they ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTicket {
    /// The same for all steps that are one request: a person who presses the button again.
    pub key: String,
    /// The queue in which it belongs.
    pub queue: String,
    /// What the person writes; nothing when the ticket opens by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What they choose on the form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Signs up.
    SignUp,
    /// Asks for help.
    Ask,
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

/// What goes wrong with some calls of the service to a double.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallTrouble {
    /// Index of the fault, in [`Plan::faults`]; names the random stream too.
    pub fault: usize,
    /// To which double.
    pub of: Double,
    /// Of this operation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls in which one of these texts stands: ids and addresses of one customer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// Which of the logical calls that fit.
    pub which: Which,
    /// From.
    pub from_ms: u64,
    /// Until (exclusive); to the end of the faults when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Chance for each logical call; 1 is always.
    pub probability: f64,
    /// What happens.
    pub does: CallDoes,
}

impl CallTrouble {
    /// To which calls what happens, in words.
    pub fn what(&self) -> String {
        let (double, operation) = (self.of.word(), self.operation.as_deref().unwrap_or("any call"));
        format!("{double} {operation}: {} [{}]", self.does.what(), self.fault)
    }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallDoes {
    /// Answered with this status instead of by the model.
    Answer {
        /// Status code.
        status: u16,
        /// Value of `Retry-After`, seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u64>,
    },
    /// The model answers, after a time drawn between the two.
    Slow {
        /// At least, milliseconds.
        least_ms: u64,
        /// At most, milliseconds.
        most_ms: u64,
    },
    /// The model answers, after a time drawn from a distribution with a long tail.
    LongTail {
        /// Median, milliseconds.
        p50_ms: u64,
        /// 99th percentile, milliseconds.
        p99_ms: u64,
    },
    /// The model does the inputs of a batch but for so many at its end, and answers 207.
    PartialBatch {
        /// How many.
        fails: u32,
    },
    /// Never answered; the model does not hear of it.
    Hang,
    /// The connection is reset; the model does not hear of it.
    Reset,
    /// The model does it; the connection is reset instead of the answer.
    LostReply,
    /// The model does it; the answer is broken JSON.
    MalformedJson,
    /// The model does it; the answer ends before its length.
    TruncatedAnswer,
    /// The model does it; searches see it so much later.
    LaggingIndex {
        /// Milliseconds.
        by_ms: u64,
    },
    /// The model answers a read with the state of when it came; the answer leaves so long after the next event of what is read.
    Overtaken {
        /// Milliseconds.
        by_ms: u64,
    },
    /// The model answers a read with the state of so long ago.
    StaleRead {
        /// Milliseconds.
        by_ms: u64,
    },
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
    /// At this time of the run every process is told to stop, and ends by itself; the restart counts from the end of the last.
    StopAt(u64),
    /// Right after the scheduling point of this number, from 1, in the process that passes it (simulated only). A run
    /// with fewer points has no kill.
    AtPoint(u64),
    /// While this call is held: its caller never sees an answer.
    AtCall(AtCall),
}

/// A contact that exists in the CRM before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedContact {
    /// Whose.
    pub instance: InstanceId,
    /// Property names and values.
    pub properties: BTreeMap<String, String>,
}
