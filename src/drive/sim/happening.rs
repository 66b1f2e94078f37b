//! What is on the heap of the simulated world, and what comes first of things at one time.
//!
//! Must not know: what is right.

use super::world::{Answer, Owner, Sent};
use crate::{
    history::record::{Probe, Queue, Visit},
    service::{
        core::Rest,
        job::Lease,
        upstream::{Call, CallResult},
    },
};
use std::hash::{Hash, Hasher};

/// Who comes first at equal times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rank {
    Completion,
    Work,
    Arrival,
}

/// Something on the heap.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Arrive {
        sent: Sent,
    },
    Receive {
        sent: Sent,
        by: Owner,
    },
    Commit {
        by: Owner,
    },
    Resume {
        exchange: Option<u64>,
        by: Owner,
        rest: Rest,
    },
    Answer {
        exchange: u64,
        answer: Answer,
    },
    Look {
        by: Owner,
        worker: usize,
    },
    Call {
        by: Owner,
        worker: usize,
        lease: Lease,
        call: Call,
        sent_us: u64,
    },
    Called {
        by: Owner,
        worker: usize,
        lease: Lease,
        result: CallResult,
    },
    Probe {
        instance: usize,
        last: bool,
    },
    ReadQueue {
        last: bool,
    },
    Visit {
        step: usize,
    },
    Probed {
        instance: usize,
        last: bool,
        probe: Box<Probe>,
    },
    Queued {
        last: bool,
        queue: Option<Queue>,
    },
    Visited {
        visit: Box<Visit>,
    },
    /// A process that was told to stop has waited long enough for its calls.
    Lingered {
        by: Owner,
    },
}

impl Happening {
    pub(super) const fn rank(&self) -> Rank {
        match self {
            Self::Answer { .. }
            | Self::Called { .. }
            | Self::Probed { .. }
            | Self::Queued { .. }
            | Self::Visited { .. } => Rank::Completion,
            Self::Receive { .. }
            | Self::Commit { .. }
            | Self::Resume { .. }
            | Self::Look { .. }
            | Self::Lingered { .. }
            | Self::Call { .. } => Rank::Work,
            Self::Arrive { .. } | Self::Probe { .. } | Self::ReadQueue { .. } | Self::Visit { .. } => Rank::Arrival,
        }
    }
}

/// Records on their way are told by what they are about: their content is a reading of what is hashed elsewhere.
impl Hash for Happening {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Arrive { sent } => sent.hash(state),
            Self::Receive { sent, by } => (sent, by).hash(state),
            Self::Commit { by } => by.hash(state),
            Self::Resume { exchange, by, rest } => (exchange, by, rest.acked, rest.event_id()).hash(state),
            Self::Answer { exchange, answer } => (exchange, answer).hash(state),
            Self::Look { by, worker } => (by, worker).hash(state),
            Self::Lingered { by } => by.hash(state),
            Self::Call { by, worker, lease, call, sent_us } => (by, worker, lease, call, sent_us).hash(state),
            Self::Called { by, worker, lease, result } => (by, worker, lease, result).hash(state),
            Self::Probe { instance, last } => (instance, last).hash(state),
            Self::ReadQueue { last } => last.hash(state),
            Self::Visit { step } => step.hash(state),
            Self::Probed { instance, last, probe } => (instance, last, probe.access).hash(state),
            Self::Queued { last, queue } => (last, queue.as_ref().map(|queue| queue.pending)).hash(state),
            Self::Visited { visit } => (&visit.instance, visit.status, &visit.shows).hash(state),
        }
    }
}
