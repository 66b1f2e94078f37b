//! A job's next call, in two halves: [`begin`] claims and says what to call, [`finish`] takes the answer in. The call
//! itself is made between the two, with no transaction open; the process may die there.
//!
//! Must not know: sockets, clocks.

mod alert;
mod audit;
mod contact;
mod follow_up;
mod reconcile;
mod request;
mod ticket;
mod tickets;

use super::{
    config::Settings,
    defects::Defect,
    job::{Job, JobState, Lease, Step, Task},
    queue,
    store::{StoreError, Tx},
    upstream::{Call, CallResult},
};
use crate::time::Timestamp;
use std::time::Duration;

/// Pause after a peer that was busy, unless it asks for a longer one.
const PAUSE: Duration = Duration::from_secs(1);

/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Claims the job that is ready first and answers its next call. Jobs that turn out to need none are completed on the way.
///
/// # Errors
/// The store's.
pub fn begin(
    tx: &mut Tx<'_>,
    now: Timestamp,
    owner: &str,
    settings: &Settings,
) -> Result<Option<(Lease, Call)>, StoreError> {
    while let Some((mut job, lease)) = queue::claim(tx, now, owner, settings)? {
        job.serves = job.generation;
        let call = match job.task.clone() {
            Task::Contact { email } => contact::call(tx, &mut job, &email, settings)?,
            Task::LooseContact { email, .. } => contact::loose_call(tx, &email)?,
            Task::Ticket { party, .. } | Task::Dispute { party, .. } => ticket::call(tx, &mut job, &party, settings)?,
            Task::FollowUp { .. } => follow_up::call(tx, now, &mut job, settings)?,
            Task::Request { request } => request::call(tx, &mut job, &request)?,
            Task::Onboarding { party } => request::onboarding(tx, now, &mut job, &party, settings)?,
            Task::Reconcile => reconcile::call(tx, settings)?,
            Task::Audit => audit::call(tx, now, &mut job, settings)?,
            Task::Tickets => tickets::call(tx, now, &mut job, settings)?,
            Task::Activation { session } => {
                alert::look(tx, now, &session, settings)?;
                None
            }
            Task::Alert { raised } => alert::call(tx, &raised, settings)?,
        };
        // Unless it was put off.
        if call.is_none() && job.state == JobState::Running {
            job.complete(now);
        }
        tx.put_job(&job)?;
        if let Some(call) = call {
            return Ok(Some((lease, call)));
        }
    }
    Ok(None)
}

/// Whether an answer was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It was.
    Taken,
    /// The lease had ended and the job is in other hands: the answer is dropped, since whoever has it looks first.
    Stale,
}

/// Takes a call's answer in: next step, done, later or dead.
///
/// # Errors
/// The store's; the lease then runs out and the job is taken over.
pub fn finish(
    tx: &mut Tx<'_>,
    now: Timestamp,
    lease: &Lease,
    result: &CallResult,
    settings: &Settings,
) -> Result<Finished, StoreError> {
    let held = tx.job(lease.job)?.filter(|job| job.state == JobState::Running && job.claims == lease.claim);
    let Some(mut job) = held else { return Ok(Finished::Stale) };
    match job.task.clone() {
        Task::Contact { email } => contact::answer(tx, now, &mut job, &email, result, settings)?,
        Task::FollowUp { .. } => follow_up::answer(tx, now, &mut job, result, settings)?,
        Task::LooseContact { .. } | Task::Activation { .. } => plain_answer(now, &mut job, result, settings),
        Task::Ticket { .. } | Task::Dispute { .. } | Task::Request { .. } | Task::Onboarding { .. } => {
            plain_answer(now, &mut job, result, settings);
            if matches!(result, CallResult::Found(Some(_)) | CallResult::Created(_)) {
                tickets::opened(tx, now, &job.task)?;
            }
        }
        Task::Reconcile => reconcile::answer(tx, now, &mut job, result, settings)?,
        Task::Audit => audit::answer(tx, now, &mut job, result)?,
        Task::Tickets => tickets::answer(tx, now, &mut job, result)?,
        Task::Alert { raised } => alert::answer(tx, now, &mut job, &raised, (result, settings))?,
    }
    if settings.defects.has(Defect::DeadStaysDead) && job.state == JobState::Dead {
        job.rejected = true;
    }
    tx.put_job(&job)?;
    Ok(Finished::Taken)
}

/// A recurring look goes on a little later: after what the peer asked for, within bounds.
fn put_off(job: &mut Job, now: Timestamp, asked: Option<Duration>) {
    job.schedule(now + asked.unwrap_or(PAUSE).clamp(PAUSE, LONGEST_PAUSE));
}

fn plain_answer(now: Timestamp, job: &mut Job, result: &CallResult, settings: &Settings) {
    match result {
        CallResult::Found(None) => job.advance(Step::Create, now),
        CallResult::Found(Some(_)) | CallResult::Created(_) | CallResult::Conflict(_) | CallResult::Updated => {
            job.complete(now);
        }
        CallResult::Missing => job.fail(now, None, "it is gone".to_owned(), &settings.backoff),
        CallResult::Seen(_) => job.fail(now, None, "the answer to another call".to_owned(), &settings.backoff),
        CallResult::Later { what, after } => job.fail(now, *after, what.clone(), &settings.backoff),
        CallResult::Rejected { what } => job.reject(now, what.clone()),
    }
}
