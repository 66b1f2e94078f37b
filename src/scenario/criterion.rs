//! Criteria as data: what must hold at the end of a run. The judges are in `check`.
//!
//! Must not know: how a criterion is judged.

use crate::stripe::recording::Access;
use std::time::Duration;

/// One `[[criterion]]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Criterion {
    /// Owed events that were acknowledged at last and took effect, as a share of the owed ones; judged by its one-sided
    /// 95 % bound.
    SuccessRate {
        /// Strictly above this share, 0 to 1.
        above: f64,
    },
    /// Owed events that were never acknowledged.
    EventsLost(Bound),
    /// Acknowledged events whose effect is missing at the end.
    AckedWithoutEffect(Bound),
    /// CRM contacts of each customer whose story says that there is one.
    ContactsPerCustomer(Bound),
    /// Fields that the CRM's own people wrote and that the service changed.
    ContactFieldsOverwritten(Bound),
    /// Tickets in `queue` for each failed invoice.
    TicketsPerFailedInvoice {
        /// How many.
        bound: Bound,
        /// In which queue.
        queue: String,
    },
    /// Access at the end.
    Access {
        /// As this, or as each story says.
        is: AccessIs,
    },
    /// Status and plan at the end, as each story says.
    CustomerState,
    /// Time from the first planned send of the event that completes the Checkout until access is open.
    Activation {
        /// 95th percentile at most this.
        p95_within: Duration,
    },
    /// Time from the planned send of a genuine delivery until its reply.
    AckLatency {
        /// 95th percentile at most this.
        p95_within: Duration,
    },
    /// Forged deliveries that were accepted or left a trace.
    ForgeryTraces(Bound),
    /// Bad payloads answered otherwise than by a safe 4xx (no stack trace, no secret, no internals).
    UnsafeErrors(Bound),
    /// Dead letters, customers in disagreement, tickets in no queue: what a person would have to repair.
    ManualSteps(Bound),
    /// Effects that a second full replay added or changed.
    ReplayEffects(Bound),
    /// Visits that did not show what a buyer must see.
    FailedVisits(Bound),
    /// A number that the probe reads for each customer.
    ProbeValue {
        /// Name of the value in the project file.
        name: String,
        /// What it must be.
        bound: Bound,
    },
}

/// What access must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessIs {
    /// This, for every customer.
    This(Access),
    /// As the story of each customer says.
    AsStory,
}

/// A bound on a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Just this many.
    Exactly(u64),
    /// This many or fewer.
    AtMost(u64),
}

impl Bound {
    /// Whether `count` keeps it.
    pub fn holds(self, count: u64) -> bool {
        match self {
            Self::Exactly(wanted) => count == wanted,
            Self::AtMost(most) => count <= most,
        }
    }
}

/// What a criterion needs to be told of the target before it can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A probe that reads access.
    AccessProbe,
    /// A probe that reads status and plan.
    StateProbe,
    /// A probe that reads the named value.
    ValueProbe,
    /// The CRM double is in use.
    Crm,
    /// The support double is in use.
    Support,
    /// Pages that a person can visit.
    Pages,
    /// The service reports its queue (pending jobs, dead letters).
    Queue,
    /// The target is a process that can be killed.
    Process,
}
