//! The service as one value: what the shells drive over sockets, a simulation drives over a virtual clock.
//!
//! A [`Process`] is what dies in a crash, its store is what stays: several processes may work on one store. A crash is
//! [`Service::restarted`], or a new [`Process`] over the old store. Must not know: sockets, clocks.

use super::{
    alerts::{self, Answered, Raised, Tally},
    audit::{self, AuditView},
    config::Settings,
    defects::Defects,
    ingest,
    job::{Lease, Task},
    overview, queue,
    reading::{self, Reading},
    status::{self, BriefView, CustomerView, DeadView, StatusView},
    store::{Store, StoreError, Tx},
    support::requests::{self, Asked, Submitted},
    trail::Entry,
    upstream::{Call, CallResult},
    worker::{self, Finished},
};
use crate::{id::EventId, stripe::event::Event, time::Timestamp};
use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

pub use super::intake::{Received, Rest};

/// An event on its way in, with what it says; that is read at most once, however often the event comes.
#[derive(Debug)]
pub struct Incoming {
    /// The event.
    pub event: Event,
    /// At which of the service's endpoints it came, as far as that matters: in the sound service it does not.
    pub endpoint: usize,
    said: OnceLock<Option<Reading>>,
}

impl Incoming {
    /// Wraps an event; reads nothing yet.
    pub const fn new(event: Event) -> Self {
        Self { event, endpoint: 0, said: OnceLock::new() }
    }

    /// The same, come at that endpoint.
    pub const fn at(mut self, endpoint: usize) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// What the event says, as far as the service acts on it.
    pub fn reading(&self, defects: &Defects) -> Option<&Reading> {
        self.said.get_or_init(|| reading::read(&self.event, defects).map(|reading| reading.named(defects))).as_ref()
    }
}

/// Equal when they carry the same event.
impl PartialEq for Incoming {
    fn eq(&self, other: &Self) -> bool {
        self.event == other.event
    }
}

/// One service process: its settings and what it remembers by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub(super) settings: Settings,
    /// Event ids remembered by the process only (deliberate defect 2).
    pub(super) remembered: BTreeSet<EventId>,
    /// Whether it has seen to the recurring jobs.
    started: bool,
    /// Answers to deliveries that the store does not know of yet.
    tally: Tally,
}

/// The store and the one process over it.
#[derive(Debug)]
pub struct Service {
    store: Store,
    process: Process,
}

impl Process {
    /// A process that has just started.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, remembered: BTreeSet::new(), started: false, tally: Tally::new() }
    }

    /// What it decides by.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Event ids that only this process knows.
    pub const fn remembered(&self) -> &BTreeSet<EventId> {
        &self.remembered
    }

    /// What else it remembers by itself, for telling two of them apart.
    pub const fn memory(&self) -> (bool, &Tally) {
        (self.started, &self.tally)
    }

    /// Counts answers to deliveries, where alerts are raised.
    pub fn note(&mut self, now: Timestamp, answered: Answered, number: u64) {
        if self.settings.alerting.is_some() {
            self.tally.note(now, answered, number);
        }
    }

    /// Sees to the recurring jobs once, and brings what was counted into the store when it is time.
    fn prepare(&mut self, store: &mut Store, now: Timestamp) -> Result<(), StoreError> {
        if !self.started {
            store.transact(|tx| recurring(tx, now, &self.settings))?;
            self.started = true;
        }
        if self.settings.alerting.is_some() && self.tally.is_due(now) {
            store.transact(|tx| self.tally.write(tx, now))?;
            self.tally = Tally::new();
        }
        Ok(())
    }

    /// Claims a job and answers its next call.
    ///
    /// # Errors
    /// The store's.
    pub fn begin(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        owner: &str,
    ) -> Result<Option<(Lease, Call)>, StoreError> {
        self.prepare(store, now)?;
        store.transact(|tx| worker::begin(tx, now, owner, &self.settings))
    }

    /// Takes a call's answer in.
    ///
    /// # Errors
    /// The store's.
    pub fn finish(
        &self,
        store: &mut Store,
        now: Timestamp,
        lease: &Lease,
        result: &CallResult,
    ) -> Result<Finished, StoreError> {
        store.transact(|tx| worker::finish(tx, now, lease, result, &self.settings))
    }

    /// Gives a claim back whose call will not be answered here any more.
    ///
    /// # Errors
    /// The store's; the lease then runs out.
    pub fn release(&self, store: &mut Store, now: Timestamp, lease: &Lease) -> Result<bool, StoreError> {
        store.transact(|tx| queue::release(tx, now, lease))
    }

    /// When a job is ready next, if ever.
    ///
    /// # Errors
    /// The store's.
    pub fn next_ready(&self, store: &mut Store) -> Result<Option<Timestamp>, StoreError> {
        store.transact(|tx| queue::next_ready(tx, &self.settings))
    }
}

fn recurring(tx: &mut Tx<'_>, now: Timestamp, settings: &Settings) -> Result<(), StoreError> {
    if settings.reconcile.is_some() {
        queue::recur(tx, now, Task::Reconcile)?;
    }
    if let Some(interval) = settings.audit {
        queue::recur(tx, now + interval, Task::Audit)?;
        queue::recur(tx, now + interval, Task::Tickets)?;
    }
    Ok(())
}

impl Service {
    /// The service over a store.
    pub const fn new(store: Store, settings: Settings) -> Self {
        Self { store, process: Process::new(settings) }
    }

    /// The service after its process died: only the store is left.
    #[must_use]
    pub fn restarted(self) -> Self {
        Self::new(self.store, self.process.settings)
    }

    /// Its store, for comparing and for injected trouble.
    pub const fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Takes a genuine delivery in.
    ///
    /// # Errors
    /// The store's; the delivery must not be acknowledged then.
    pub fn receive(&mut self, now: Timestamp, event: &Event) -> Result<Received, StoreError> {
        self.process.receive(&mut self.store, now, &Arc::new(Incoming::new(event.clone())))
    }

    /// Takes genuine deliveries in with one commit; see [`Process::receive_batch`].
    pub fn receive_batch(&mut self, now: Timestamp, batch: &[Arc<Incoming>]) -> Vec<Result<Received, StoreError>> {
        self.process.receive_batch(&mut self.store, now, batch)
    }

    /// Runs `work`; all that it commits is committed at once, at its end. See [`Store::begin_group`].
    ///
    /// # Errors
    /// The one commit's: then nothing is kept, whatever `work` was answered.
    pub fn grouped<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Result<T, StoreError> {
        self.store.begin_group()?;
        let done = work(self);
        self.store.commit_group()?;
        Ok(done)
    }

    /// What it decides by.
    pub const fn settings(&self) -> &Settings {
        self.process.settings()
    }

    /// Does what [`Service::receive`] left over.
    ///
    /// # Errors
    /// The store's.
    pub fn resume(&mut self, now: Timestamp, rest: &Rest) -> Result<Received, StoreError> {
        self.process.resume(&mut self.store, now, rest)
    }

    /// Hears of a delivery whose signature is bad; see [`Process::forged`].
    ///
    /// # Errors
    /// The store's.
    pub fn forged(&mut self, now: Timestamp, body: &str) -> Result<(), StoreError> {
        self.process.forged(&mut self.store, now, body)
    }

    /// Claims a job and answers its next call.
    ///
    /// # Errors
    /// The store's.
    pub fn begin(&mut self, now: Timestamp, owner: &str) -> Result<Option<(Lease, Call)>, StoreError> {
        self.process.begin(&mut self.store, now, owner)
    }

    /// Takes a call's answer in.
    ///
    /// # Errors
    /// The store's.
    pub fn finish(&mut self, now: Timestamp, lease: &Lease, result: &CallResult) -> Result<Finished, StoreError> {
        self.process.finish(&mut self.store, now, lease, result)
    }

    /// When a job is ready next, if ever.
    ///
    /// # Errors
    /// The store's.
    pub fn next_ready(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.process.next_ready(&mut self.store)
    }

    /// Gives a claim back whose call will not be answered here any more.
    ///
    /// # Errors
    /// The store's; the lease then runs out.
    pub fn release(&mut self, now: Timestamp, lease: &Lease) -> Result<bool, StoreError> {
        self.process.release(&mut self.store, now, lease)
    }

    /// Counts answers to deliveries that never reached the store.
    pub fn note(&mut self, now: Timestamp, answered: Answered, number: u64) {
        self.process.note(now, answered, number);
    }

    /// All alerts that were raised, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn alerts(&mut self) -> Result<Vec<Raised>, StoreError> {
        self.store.transact(alerts::all)
    }

    /// What the comparison with Stripe, CRM and desk has found.
    ///
    /// # Errors
    /// The store's.
    pub fn audit(&mut self) -> Result<AuditView, StoreError> {
        self.store.transact(audit::view)
    }

    /// Asks for a comparison of every customer, now.
    ///
    /// # Errors
    /// The store's.
    pub fn audit_now(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.store.transact(|tx| audit::ask(tx, now))
    }

    /// A person puts one job that was given up back to work, or all of them; answers how many.
    ///
    /// # Errors
    /// The store's.
    pub fn requeue_by_hand(&mut self, now: Timestamp, one: Option<u64>) -> Result<u64, StoreError> {
        self.store.transact(|tx| overview::requeue(tx, now, one))
    }

    /// A person signs up; answers whether they are new.
    ///
    /// # Errors
    /// The store's.
    pub fn sign_up(&mut self, now: Timestamp, user: &str, email: &str) -> Result<bool, StoreError> {
        let settings = &self.process.settings;
        self.store.transact(|tx| ingest::sign_up(tx, now, settings, user, email, None))
    }

    /// A person asks for help; see [`requests::submit`].
    ///
    /// # Errors
    /// The store's.
    pub fn ask(&mut self, now: Timestamp, asked: &Asked, key: Option<&str>) -> Result<Submitted, StoreError> {
        let settings = &self.process.settings;
        self.store.transact(|tx| requests::submit(tx, now, settings, asked, key))
    }

    /// Jobs that were given up, by number.
    ///
    /// # Errors
    /// The store's.
    pub fn dead(&mut self) -> Result<Vec<DeadView>, StoreError> {
        self.store.transact(status::dead)
    }

    /// Puts one job that was given up back to work; answers whether there was one.
    ///
    /// # Errors
    /// The store's.
    pub fn requeue_one(&mut self, now: Timestamp, id: u64) -> Result<bool, StoreError> {
        self.store.transact(|tx| queue::requeue_one(tx, now, id))
    }

    /// The changes of one customer's state, oldest first; `None` when nobody is known by that id.
    ///
    /// # Errors
    /// The store's.
    pub fn history(&mut self, id: &str) -> Result<Option<Vec<Entry>>, StoreError> {
        self.store.transact(|tx| status::history(tx, id))
    }

    /// One customer's state, by Stripe customer id or the app's user id.
    ///
    /// # Errors
    /// The store's.
    pub fn customer(&mut self, id: &str) -> Result<Option<CustomerView>, StoreError> {
        self.store.transact(|tx| status::customer(tx, id))
    }

    /// Runs `work` of the person's pages in one transaction.
    ///
    /// # Errors
    /// Those of `work`, and the store's.
    pub fn visit<T>(&mut self, work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.store.transact(work)
    }

    /// Whether the account of a Checkout session has its access.
    ///
    /// # Errors
    /// The store's.
    pub fn is_active(&mut self, session: &str) -> Result<bool, StoreError> {
        self.store.transact(|tx| status::is_active(tx, session))
    }

    /// How far behind the service is.
    ///
    /// # Errors
    /// The store's.
    pub fn status(&mut self) -> Result<StatusView, StoreError> {
        self.store.transact(status::status)
    }

    /// How far behind the service is, without a look at every account.
    ///
    /// # Errors
    /// The store's.
    pub fn brief_status(&mut self) -> Result<BriefView, StoreError> {
        self.store.transact(status::brief)
    }
}
