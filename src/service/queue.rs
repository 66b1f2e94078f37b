//! The queue: jobs are asked for, claimed under a lease, taken over when it runs out, and put back after they were given up.
//!
//! Must not know: what a call is about, clocks.

use super::{
    config::Settings,
    defects::Defect,
    job::{Job, JobState, Lease, Task},
    store::{StoreError, Tx},
};
use crate::time::Timestamp;

/// Asks for a job. A contact job that runs already will run again; a ticket job that is there already is enough.
///
/// # Errors
/// The store's.
pub fn enqueue(tx: &mut Tx<'_>, now: Timestamp, task: Task) -> Result<(), StoreError> {
    let Some(mut job) = tx.job_by_key(&task.key())? else {
        let id = tx.next_job_id()?;
        return tx.put_job(&Job::new(id, task, now));
    };
    let again = matches!(task, Task::Contact { .. });
    if again {
        job.generation += 1;
    }
    if matches!(job.state, JobState::Dead | JobState::Scheduled) || (again && job.state == JobState::Done) {
        job.restart(now);
    }
    tx.put_job(&job)
}

/// Asks for a job at a later time, before which it is not owed. One that is there already keeps its time.
///
/// # Errors
/// The store's.
pub fn schedule(tx: &mut Tx<'_>, at: Timestamp, task: Task) -> Result<(), StoreError> {
    if tx.job_by_key(&task.key())?.is_some() {
        return Ok(());
    }
    let id = tx.next_job_id()?;
    let mut job = Job::new(id, task, at);
    job.schedule(at);
    tx.put_job(&job)
}

/// Keeps a recurring job going: asked for the first time, or once more after it had ended, it is due at `at`.
///
/// # Errors
/// The store's.
pub fn recur(tx: &mut Tx<'_>, at: Timestamp, task: Task) -> Result<(), StoreError> {
    match tx.job_by_key(&task.key())? {
        None => schedule(tx, at, task),
        Some(mut job) if matches!(job.state, JobState::Done | JobState::Dead) => {
            job.schedule(at);
            tx.put_job(&job)
        }
        Some(_) => Ok(()),
    }
}

/// Takes the job that is ready first, if any is ready by now.
///
/// # Errors
/// The store's.
pub fn claim(
    tx: &mut Tx<'_>,
    now: Timestamp,
    owner: &str,
    settings: &Settings,
) -> Result<Option<(Job, Lease)>, StoreError> {
    let reclaim = !settings.defects.has(Defect::LeaseNeverReclaimed);
    loop {
        let Some(mut job) = tx.first_ready(reclaim)?.filter(|job| job.at <= now) else { return Ok(None) };
        if job.state == JobState::Dead {
            job.attempts = 0;
        }
        if job.attempts >= settings.backoff.attempts {
            // Its worker died every time: a poisonous job must not take the process down for ever.
            job.fail(now, None, "its worker never came back".to_owned(), &settings.backoff);
            tx.put_job(&job)?;
            continue;
        }
        job.state = JobState::Running;
        job.attempts += 1;
        job.claims += 1;
        job.owner = Some(owner.to_owned());
        job.at = now + settings.lease;
        tx.put_job(&job)?;
        let lease = Lease { job: job.id, claim: job.claims, until: job.at };
        return Ok(Some((job, lease)));
    }
}

/// When something is ready next.
///
/// # Errors
/// The store's.
pub fn next_ready(tx: &mut Tx<'_>, settings: &Settings) -> Result<Option<Timestamp>, StoreError> {
    let reclaim = !settings.defects.has(Defect::LeaseNeverReclaimed);
    Ok(tx.first_ready(reclaim)?.map(|job| job.at))
}

/// Puts every job that was given up, rejected ones too, back to work; answers how many.
///
/// # Errors
/// The store's.
pub fn requeue(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    let dead = tx.dead_jobs()?;
    for job in &dead {
        let mut job = job.clone();
        job.restart(now);
        tx.put_job(&job)?;
    }
    Ok(dead.len() as u64)
}

/// Puts one job that was given up back to work; answers whether there was one.
///
/// # Errors
/// The store's.
pub fn requeue_one(tx: &mut Tx<'_>, now: Timestamp, id: u64) -> Result<bool, StoreError> {
    let Some(mut job) = tx.job(id)?.filter(|job| job.state == JobState::Dead) else { return Ok(false) };
    job.restart(now);
    tx.put_job(&job)?;
    Ok(true)
}

/// Gives a claim back before its call was answered: another takes the job up at once instead of waiting for the lease to
/// end. Whether the call had its effect is not known, as after a crash. Answers whether the claim still counted.
///
/// # Errors
/// The store's; the lease then runs out.
pub fn release(tx: &mut Tx<'_>, now: Timestamp, lease: &Lease) -> Result<bool, StoreError> {
    let held = tx.job(lease.job)?.filter(|job| job.state == JobState::Running && job.claims == lease.claim);
    let Some(mut job) = held else { return Ok(false) };
    job.release(now);
    tx.put_job(&job)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::store::Store;

    fn contact() -> Task {
        Task::Contact { email: "ada@example.com".into() }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn claimed(store: &mut Store, now: Timestamp, settings: &Settings) -> Option<(Job, Lease)> {
        store.transact(|tx| claim(tx, now, "w", settings)).expect("claim")
    }

    fn queued() -> Store {
        let mut store = Store::memory();
        store.transact(|tx| enqueue(tx, at(0), contact())).expect("enqueue");
        store
    }

    #[test]
    fn a_lease_keeps_others_out_until_it_ends() {
        let (mut store, settings) = (queued(), Settings::default());
        let (_, lease) = claimed(&mut store, at(1), &settings).expect("due");
        assert_eq!(lease.until, at(11));
        assert_eq!(claimed(&mut store, at(10), &settings), None);
        let (job, second) = claimed(&mut store, at(11), &settings).expect("taken over");
        assert_eq!((job.attempts, second.claim), (2, lease.claim + 1));

        let never = Settings { defects: [Defect::LeaseNeverReclaimed].into_iter().collect(), ..settings };
        assert_eq!(claimed(&mut store, at(900), &never), None);
    }

    #[test]
    fn a_claim_that_is_given_back_is_due_at_once_and_counts_no_attempt() {
        let (mut store, settings) = (queued(), Settings::default());
        let (_, lease) = claimed(&mut store, at(1), &settings).expect("due");
        assert_eq!(store.transact(|tx| release(tx, at(2), &lease)), Ok(true));
        let (job, second) = claimed(&mut store, at(2), &settings).expect("due at once");
        assert_eq!((job.attempts, second.claim), (1, 2));
        assert_eq!(store.transact(|tx| release(tx, at(2), &lease)), Ok(false), "that claim is not the present one");
        assert_eq!(claimed(&mut store, at(3), &settings), None);
    }

    #[test]
    fn only_a_job_that_was_given_up_is_put_back_by_hand() {
        let (mut store, settings) = (queued(), Settings::default());
        assert_eq!(store.transact(|tx| requeue_one(tx, at(1), 1)), Ok(false));
        let (mut job, _) = claimed(&mut store, at(1), &settings).expect("due");
        job.reject(at(1), "400".into());
        store.transact(|tx| tx.put_job(&job)).expect("put");
        assert_eq!(store.transact(|tx| requeue_one(tx, at(2), 7)), Ok(false));
        assert_eq!(store.transact(|tx| requeue_one(tx, at(2), 1)), Ok(true));
        assert!(claimed(&mut store, at(2), &settings).is_some());
    }

    #[test]
    fn jobs_that_only_kill_workers_are_given_up_and_revived_later() {
        let (mut store, settings) = (queued(), Settings::default());
        let mut claims = 0;
        let mut now = at(0);
        while let Some((job, _)) = claimed(&mut store, now, &settings) {
            claims += 1;
            now = job.at;
        }
        assert_eq!(claims, settings.backoff.attempts);
        assert_eq!(store.transact(|tx| tx.job_counts()).expect("counts").dead, 1);
        let (job, _) = claimed(&mut store, now + settings.backoff.revive, &settings).expect("revived");
        assert_eq!(job.attempts, 1);
    }

    #[test]
    fn rejected_jobs_rest_until_a_person_or_a_new_event_asks_again() {
        let (mut store, settings) = (queued(), Settings::default());
        let reject = |store: &mut Store| {
            let (mut job, _) = claimed(store, at(1), &settings).expect("due");
            job.reject(at(1), "400".into());
            store.transact(|tx| tx.put_job(&job)).expect("put");
        };
        reject(&mut store);
        assert_eq!(claimed(&mut store, at(999_999), &settings), None);
        assert_eq!(store.transact(|tx| requeue(tx, at(1))), Ok(1));
        reject(&mut store);
        store.transact(|tx| enqueue(tx, at(1), contact())).expect("enqueue");
        assert!(claimed(&mut store, at(1), &settings).is_some());
    }

    #[test]
    fn a_scheduled_job_is_owed_only_when_its_time_has_come() {
        let (mut store, settings) = (Store::memory(), Settings::default());
        for time in [60, 10] {
            store.transact(|tx| schedule(tx, at(time), contact())).expect("scheduled");
        }
        let counts = store.transact(|tx| tx.job_counts()).expect("counts");
        assert_eq!((counts.scheduled, counts.pending), (1, 0));
        assert_eq!(claimed(&mut store, at(59), &settings), None);
        assert_eq!(store.transact(|tx| next_ready(tx, &settings)), Ok(Some(at(60))));
        assert!(claimed(&mut store, at(60), &settings).is_some());
        assert_eq!(store.transact(|tx| tx.job_counts()).expect("counts").pending, 1);
    }

    #[test]
    fn asked_for_while_running_it_runs_again() {
        let (mut store, settings) = (queued(), Settings::default());
        let (mut job, _) = claimed(&mut store, at(1), &settings).expect("due");
        job.serves = job.generation;
        store.transact(|tx| tx.put_job(&job)).expect("put");
        store.transact(|tx| enqueue(tx, at(2), contact())).expect("enqueue");
        let mut job = store.transact(|tx| tx.job(1)).expect("read").expect("there");
        job.complete(at(3));
        assert_eq!(job.state, JobState::Waiting);
        job.serves = job.generation;
        job.complete(at(4));
        assert_eq!(job.state, JobState::Done);
    }
}
