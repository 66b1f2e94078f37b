//! The recurring job that fetches the events that never arrived: one call a step, one page a call.
//!
//! A page and the place in the list are written in one transaction, so a crash anywhere repeats a page at most, and what is
//! known already is left alone. Must not know: sockets, clocks.

use crate::{
    service::{
        config::{Backoff, Settings},
        core::Incoming,
        defects::Defect,
        ingest::{self, Parts},
        job::{self, Job, Step},
        reconcile::{Progress, Taken},
        store::{StoreError, Tx},
        upstream::{Call, CallResult, Listed, Look, Seen},
    },
    stripe::event::Event,
    time::Timestamp,
};
use std::time::Duration;

/// Longest `Retry-After` that is honoured here: a lost event is to be made good within minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(super) fn call(tx: &mut Tx<'_>, settings: &Settings) -> Result<Option<Call>, StoreError> {
    if settings.reconcile.is_none() {
        return Ok(None);
    }
    let after = Progress::read(tx)?.after();
    Ok(Some(Call::Look(Look::Events { after })))
}

pub(super) fn answer(
    tx: &mut Tx<'_>,
    now: Timestamp,
    job: &mut Job,
    result: &CallResult,
    settings: &Settings,
) -> Result<(), StoreError> {
    let Some(interval) = settings.reconcile else {
        job.complete(now);
        return Ok(());
    };
    let mut progress = Progress::read(tx)?;
    match result {
        CallResult::Seen(Seen::Events(page)) => {
            progress.failures = 0;
            progress.skipped += page.malformed;
            let Taken { mut look_at, mut over } = progress.take(page, settings.backfill);
            if settings.defects.has(Defect::ReconcileStopsEarly)
                && let Some(known) = first_known(tx, look_at)?
            {
                look_at = &look_at[..known];
                over = true;
                progress.stop();
            }
            // Oldest first, as they would have come.
            let believed = progress.believed;
            for listed in look_at.iter().rev().filter(|listed| believed.is_none_or(|since| listed.created >= since)) {
                take_in(tx, now, listed, &mut progress, settings)?;
            }
            if over {
                progress.ended = Some(now);
                job.schedule(now + interval);
            } else {
                job.advance(Step::First, now);
            }
        }
        CallResult::Later { .. } if settings.defects.has(Defect::FailedSyncSucceeds) => {
            progress.believe(now);
            job.schedule(now + interval);
        }
        CallResult::Later { what, after } => fail(job, now, &mut progress, interval, (what, *after)),
        CallResult::Rejected { what } => {
            // The event after which the page should begin may be gone from the list by now.
            progress.give_up_round();
            fail(job, now, &mut progress, interval, (what, None));
        }
        CallResult::Seen(_)
        | CallResult::Found(_)
        | CallResult::Created(_)
        | CallResult::Conflict(_)
        | CallResult::Updated
        | CallResult::Missing => fail(job, now, &mut progress, interval, ("the answer to another call", None)),
    }
    progress.write(tx)
}

fn first_known(tx: &mut Tx<'_>, listed: &[Listed]) -> Result<Option<usize>, StoreError> {
    for (place, listed) in listed.iter().enumerate() {
        if tx.deliveries(&listed.id)? > 0 {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Never given up: it waits longer and longer, but no longer than a round.
fn fail(
    job: &mut Job,
    now: Timestamp,
    progress: &mut Progress,
    interval: Duration,
    (what, after): (&str, Option<Duration>),
) {
    progress.failures = progress.failures.saturating_add(1);
    let backoff = Backoff { first: Duration::from_secs(1).min(interval), cap: interval, ..Backoff::default() };
    let asked = after.unwrap_or_default().min(LONGEST_PAUSE);
    job.schedule(now + job::wait(&backoff, job.id, progress.failures).max(asked));
    job.error = Some(what.to_owned());
}

fn take_in(
    tx: &mut Tx<'_>,
    now: Timestamp,
    listed: &Listed,
    progress: &mut Progress,
    settings: &Settings,
) -> Result<(), StoreError> {
    if tx.deliveries(&listed.id)? > 0 {
        return Ok(());
    }
    let event = Event::parse(&listed.body).ok().filter(|event| !ingest::is_foreign(event, settings));
    let Some(event) = event else {
        progress.skipped += 1;
        return Ok(());
    };
    ingest::ingest(tx, now, settings, &Incoming::new(event), Parts::ALL)?;
    progress.repaired += 1;
    Ok(())
}
