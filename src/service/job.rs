//! One durable job: what it is for, where it stands, and how it moves on.
//!
//! Must not know: storage, what a call is about, clocks.

use super::config::Backoff;
use crate::{
    id::{InvoiceId, SubscriptionId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, time::Duration};

/// What a job is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Bring the CRM contact of this e-mail in line with the account. One row for ever; runs are coalesced.
    Contact {
        /// E-mail in lower case.
        email: String,
    },
    /// Create a contact blindly (deliberate defect 64).
    LooseContact {
        /// E-mail in lower case.
        email: String,
        /// What made it.
        event: String,
    },
    /// Open the one ticket of an invoice that could not be collected.
    Ticket {
        /// The invoice.
        invoice: InvoiceId,
        /// Whose it is.
        party: String,
        /// Makes the key another one for each copy of a delivery (deliberate defect 1).
        nonce: Option<String>,
    },
    /// Open the one ticket of a disputed payment.
    Dispute {
        /// Stripe's id of the dispute.
        dispute: String,
        /// Whose it is.
        party: String,
    },
    /// Leave the people at the CRM one task.
    FollowUp {
        /// What it is about.
        about: FollowUp,
        /// Whose it is.
        party: String,
    },
    /// Open the one ticket of a request to support.
    Request {
        /// Its id.
        request: String,
    },
    /// Look whether somebody who began is active by now, and open a ticket if not.
    Onboarding {
        /// Who began.
        party: String,
    },
    /// Fetch the events that never arrived. One row for ever.
    Reconcile,
    /// Compare what Stripe, CRM and desk hold with our own state. One row for ever.
    Audit,
    /// See which tickets are solved. One row for ever.
    Tickets,
    /// See whether a completed Checkout has become access.
    Activation {
        /// The Checkout session.
        session: String,
    },
    /// Post an alert that was raised.
    Alert {
        /// Its document's key.
        raised: String,
    },
}

/// What a task for the people at the CRM is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum FollowUp {
    /// A subscription has ended.
    Churn(SubscriptionId),
    /// An invoice could not be collected.
    FailedPayment(InvoiceId),
}

impl FollowUp {
    /// Our key of the task, kept in the CRM beside it.
    pub fn key(&self) -> String {
        match self {
            Self::Churn(subscription) => format!("churn:{subscription}"),
            Self::FailedPayment(invoice) => format!("failed:{invoice}"),
        }
    }
}

impl Task {
    /// What makes two jobs the same.
    pub fn key(&self) -> String {
        match self {
            Self::Contact { email } => format!("contact:{email}"),
            Self::LooseContact { email, event } => format!("contact:{email}#{event}"),
            Self::Ticket { .. } | Self::Dispute { .. } | Self::Request { .. } | Self::Onboarding { .. } => {
                format!("ticket:{}", self.external_id())
            }
            Self::FollowUp { about, .. } => format!("task:{}", about.key()),
            Self::Reconcile => "reconcile".to_owned(),
            Self::Audit => "audit".to_owned(),
            Self::Tickets => "tickets".to_owned(),
            Self::Activation { session } => format!("activation:{session}"),
            Self::Alert { raised } => format!("alert:{raised}"),
        }
    }

    /// The desk's key of a ticket.
    pub fn external_id(&self) -> String {
        match self {
            Self::Ticket { invoice, nonce: Some(nonce), .. } => format!("invoice:{invoice}#{nonce}"),
            Self::Ticket { invoice, nonce: None, .. } => format!("invoice:{invoice}"),
            Self::Dispute { dispute, .. } => format!("dispute:{dispute}"),
            Self::Contact { email } | Self::LooseContact { email, .. } => format!("contact:{email}"),
            Self::FollowUp { about, .. } => about.key(),
            Self::Request { request } => format!("request:{request}"),
            Self::Onboarding { party } => format!("onboarding:{party}"),
            Self::Reconcile | Self::Audit | Self::Tickets | Self::Activation { .. } | Self::Alert { .. } => self.key(),
        }
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Not owed before its time: a look at something later, or the next round of a recurring job.
    Scheduled,
    /// Until it is due.
    Waiting,
    /// Under a lease.
    Running,
    /// Nothing to do.
    Done,
    /// Given up.
    Dead,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Scheduled, Self::Waiting, Self::Running, Self::Done, Self::Dead];

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

/// Which call comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Nothing has left yet.
    #[default]
    First,
    /// Something may have left: look before making anything.
    Find,
    /// Looked, and there was nothing.
    Create,
}

/// One job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct Job {
    /// Number, from 1.
    pub id: u64,
    /// What for.
    pub task: Task,
    /// Where it stands.
    pub state: JobState,
    /// Which call comes next.
    pub step: Step,
    /// Claims since the last completed run that did not succeed, the present one included.
    pub attempts: u32,
    /// When it is ready next: due, end of the lease, or revival.
    pub at: Timestamp,
    /// Claims ever: the fencing number of a lease.
    pub claims: u64,
    /// Who holds it.
    pub owner: Option<String>,
    /// How often it was asked for.
    pub generation: u64,
    /// The generation that the present run serves.
    pub serves: u64,
    /// The fields that the call under way writes.
    pub sent: Option<BTreeMap<String, String>>,
    /// Rejected for good.
    pub rejected: bool,
    /// The last failure, without anything from a body.
    pub error: Option<String>,
}

/// The right to finish one claim of one job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: u64,
    /// The fencing number: a later claim makes this one worthless.
    pub claim: u64,
    /// When it ends.
    pub until: Timestamp,
}

/// Jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// For later; nothing is owed yet.
    pub scheduled: u64,
    /// Waiting or running.
    pub pending: u64,
    /// Given up.
    pub dead: u64,
    /// Done.
    pub done: u64,
}

impl JobCounts {
    /// Counts `number` more jobs of `state`.
    pub fn add(&mut self, state: JobState, number: u64) {
        match state {
            JobState::Waiting | JobState::Running => self.pending += number,
            JobState::Scheduled => self.scheduled += number,
            JobState::Done => self.done += number,
            JobState::Dead => self.dead += number,
        }
    }
}

impl Job {
    /// A new job, due now.
    pub fn new(id: u64, task: Task, now: Timestamp) -> Self {
        Self {
            id,
            task,
            state: JobState::Waiting,
            step: Step::First,
            attempts: 0,
            at: now,
            claims: 0,
            owner: None,
            generation: 1,
            serves: 0,
            sent: None,
            rejected: false,
            error: None,
        }
    }

    /// When there is something to do for it, if ever.
    pub fn ready(&self) -> Option<Timestamp> {
        match self.state {
            JobState::Scheduled | JobState::Waiting | JobState::Running => Some(self.at),
            JobState::Dead => (!self.rejected).then_some(self.at),
            JobState::Done => None,
        }
    }

    /// Waiting or running.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, JobState::Waiting | JobState::Running)
    }

    fn wait(&mut self, until: Timestamp) {
        self.state = JobState::Waiting;
        self.owner = None;
        self.at = until;
    }

    /// Back to waiting until `until`: what it waits for is no failure, so this claim counts for nothing.
    pub fn postpone(&mut self, until: Timestamp) {
        self.attempts = self.attempts.saturating_sub(1);
        self.wait(until);
    }

    /// Due at `at`, and not owed before.
    pub fn schedule(&mut self, at: Timestamp) {
        self.restart(at);
        self.state = JobState::Scheduled;
    }

    /// Due now, with a clean record.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.attempts = 0;
        self.rejected = false;
        self.wait(now);
    }

    /// Due now: its claim is given back before the call was answered, and counts for nothing.
    pub(super) fn release(&mut self, now: Timestamp) {
        self.attempts = self.attempts.saturating_sub(1);
        self.wait(now);
    }

    /// The call went well and another follows at once. Earlier failures still count: a job that goes in a circle (found,
    /// gone, found, …) must end.
    pub fn advance(&mut self, step: Step, now: Timestamp) {
        self.step = step;
        self.attempts = self.attempts.saturating_sub(1);
        self.error = None;
        self.wait(now);
    }

    /// The run is over; asked for again meanwhile, it starts anew.
    pub fn complete(&mut self, now: Timestamp) {
        self.advance(Step::First, now);
        self.attempts = 0;
        self.sent = None;
        if self.generation <= self.serves {
            self.state = JobState::Done;
        }
    }

    /// The call failed but may succeed later, not before `after` when the peer said so.
    pub fn fail(&mut self, now: Timestamp, after: Option<Duration>, error: String, backoff: &Backoff) {
        self.error = Some(error);
        if self.attempts >= backoff.attempts {
            self.wait(now + backoff.revive);
            self.state = JobState::Dead;
            return;
        }
        let asked = after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.wait(now + wait(backoff, self.id, self.attempts).max(asked));
    }

    /// The peer will never take it.
    pub fn reject(&mut self, now: Timestamp, error: String) {
        self.error = Some(error);
        self.wait(now);
        self.state = JobState::Dead;
        self.rejected = true;
    }
}

/// Longest `Retry-After` that is honoured: a typing error of the peer must not park a job for a year.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The wait after failed attempt `attempt` (from 1): doubling, capped, less up to a half by a jitter that depends on job and
/// attempt alone, so that a simulated run repeats.
pub fn wait(backoff: &Backoff, job: u64, attempt: u32) -> Duration {
    let doubled = backoff.first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(30)));
    let full = doubled.min(backoff.cap);
    let hash = Sha256::new().chain_update(job.to_be_bytes()).chain_update(attempt.to_be_bytes()).finalize();
    let fraction = u32::from(hash[0]);
    full - full.saturating_mul(fraction) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact() -> Task {
        Task::Contact { email: "ada@example.com".into() }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn waits_double_to_the_cap_and_repeat() {
        let backoff = Backoff::default();
        for attempt in 1..40 {
            let full = (100_u64 << (attempt - 1).min(20)).min(30_000);
            let wait = wait(&backoff, 7, attempt);
            assert!(
                wait <= Duration::from_millis(full) && wait >= Duration::from_millis(full / 2),
                "{attempt}: {wait:?}"
            );
        }
        assert_eq!(wait(&backoff, 7, 3), wait(&backoff, 7, 3));
        assert_ne!(wait(&backoff, 7, 9), wait(&backoff, 8, 9), "two jobs do not come back together");
    }

    #[test]
    fn retry_after_is_honoured_within_reason() {
        let backoff = Backoff::default();
        let mut job = Job::new(1, contact(), at(0));
        job.attempts = 1;
        job.fail(at(0), Some(Duration::from_secs(7)), "429".into(), &backoff);
        assert_eq!((job.state, job.at), (JobState::Waiting, at(7)));
        job.fail(at(0), Some(Duration::from_secs(999_999)), "429".into(), &backoff);
        assert_eq!(job.at, at(3600));
        job.attempts = backoff.attempts;
        job.fail(at(0), None, "500".into(), &backoff);
        assert_eq!((job.state, job.ready()), (JobState::Dead, Some(at(0) + backoff.revive)));
    }
}
