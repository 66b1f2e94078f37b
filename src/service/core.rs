//! The service as one value: what the shells drive over sockets, a simulation drives over a virtual clock.
//!
//! A crash is [`Service::restarted`]: the store stays, everything else is gone. Must not know: sockets, clocks.

use super::{
    config::Settings,
    defects::Defect,
    ingest::{self, Accepted, Parts},
    job::Lease,
    queue,
    status::{self, CustomerView, StatusView},
    store::{Store, StoreError},
    upstream::{Call, CallResult},
    worker::{self, Finished},
};
use crate::{id::EventId, stripe::event::Event, time::Timestamp};
use std::{collections::BTreeSet, time::Duration};

/// The store, the settings, and what the process remembers.
#[derive(Debug)]
pub struct Service {
    store: Store,
    settings: Settings,
    /// Event ids remembered by the process only (deliberate defect 2).
    remembered: BTreeSet<EventId>,
}

/// What a delivery leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// Everything is committed: answer 200.
    Settled(Accepted),
    /// A defect tears the work apart: the rest waits in memory.
    Torn(Rest),
}

/// Work that waits in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// Whether 200 is answered before it is done.
    pub acked: bool,
    /// How long it waits.
    pub after: Duration,
    event: Event,
    parts: Parts,
}

/// How long a torn service leaves the gap open: long enough for a kill to fall into it.
const GAP: Duration = Duration::from_millis(150);

impl Service {
    /// The service over a store.
    pub const fn new(store: Store, settings: Settings) -> Self {
        Self { store, settings, remembered: BTreeSet::new() }
    }

    /// The service after its process died: only the store is left.
    #[must_use]
    pub fn restarted(self) -> Self {
        Self::new(self.store, self.settings)
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
        let none = Parts { check: true, mark: false, apply: false, jobs: false };
        let later = |acked, parts| Some(Rest { acked, after: GAP, event: event.clone(), parts });
        let has = |defect| self.settings.defects.has(defect);
        let (first, rest) = if has(Defect::AckBeforePersist) {
            return Ok(Received::Torn(Rest { acked: true, after: GAP, event: event.clone(), parts: Parts::ALL }));
        } else if has(Defect::CheckThenInsert) {
            (none, later(false, Parts { check: false, ..Parts::ALL }))
        } else if has(Defect::SeenIsApplied) {
            (Parts { mark: true, ..none }, later(false, Parts { check: false, mark: false, ..Parts::ALL }))
        } else if has(Defect::JobBeforeCommit) {
            (Parts { jobs: true, ..none }, later(false, Parts { check: false, jobs: false, ..Parts::ALL }))
        } else if has(Defect::JobAfterCommit) {
            (Parts { jobs: false, ..Parts::ALL }, later(false, Parts { check: false, jobs: true, ..none }))
        } else if has(Defect::DedupeInMemory) {
            if self.remembered.contains(&event.id) {
                return Ok(Received::Settled(Accepted { duplicate: true }));
            }
            (Parts { check: false, ..Parts::ALL }, None)
        } else {
            (Parts::ALL, None)
        };
        let accepted = self.ingest(now, event, first)?;
        if self.settings.defects.has(Defect::DedupeInMemory) {
            self.remembered.insert(event.id.clone());
        }
        Ok(match rest {
            Some(rest) if !accepted.duplicate => Received::Torn(rest),
            _ => Received::Settled(accepted),
        })
    }

    /// Does what [`Service::receive`] left over.
    ///
    /// # Errors
    /// The store's.
    pub fn resume(&mut self, now: Timestamp, rest: &Rest) -> Result<Accepted, StoreError> {
        self.ingest(now, &rest.event, rest.parts)
    }

    fn ingest(&mut self, now: Timestamp, event: &Event, parts: Parts) -> Result<Accepted, StoreError> {
        let settings = &self.settings;
        self.store.transact(|tx| ingest::ingest(tx, now, settings, event, parts))
    }

    /// Claims a job and answers its next call.
    ///
    /// # Errors
    /// The store's.
    pub fn begin(&mut self, now: Timestamp, owner: &str) -> Result<Option<(Lease, Call)>, StoreError> {
        let settings = &self.settings;
        self.store.transact(|tx| worker::begin(tx, now, owner, settings))
    }

    /// Takes a call's answer in.
    ///
    /// # Errors
    /// The store's.
    pub fn finish(&mut self, now: Timestamp, lease: &Lease, result: &CallResult) -> Result<Finished, StoreError> {
        let settings = &self.settings;
        self.store.transact(|tx| worker::finish(tx, now, lease, result, settings))
    }

    /// When a job is ready next, if ever.
    ///
    /// # Errors
    /// The store's.
    pub fn next_ready(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let settings = &self.settings;
        self.store.transact(|tx| queue::next_ready(tx, settings))
    }

    /// Puts every job that was given up back to work; answers how many.
    ///
    /// # Errors
    /// The store's.
    pub fn requeue(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.store.transact(|tx| queue::requeue(tx, now))
    }

    /// A person signs up; answers whether they are new.
    ///
    /// # Errors
    /// The store's.
    pub fn sign_up(&mut self, now: Timestamp, user: &str, email: &str) -> Result<bool, StoreError> {
        self.store.transact(|tx| ingest::sign_up(tx, now, user, email))
    }

    /// One customer's state, by Stripe customer id or the app's user id.
    ///
    /// # Errors
    /// The store's.
    pub fn customer(&mut self, id: &str) -> Result<Option<CustomerView>, StoreError> {
        self.store.transact(|tx| status::customer(tx, id))
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
}
