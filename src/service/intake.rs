//! How deliveries come in: those that wait together share one durable commit, and each has its own outcome.
//!
//! The batch is decided here, so that a simulation proves the very algorithm that serves. Must not know: sockets, clocks,
//! who waits for the answers.

use super::{
    alerts::Answered,
    core::{Incoming, Process},
    defects::Defect,
    ingest::{self, Accepted, Parts},
    race, reading,
    store::{Store, StoreError},
};
use crate::{id::EventId, time::Timestamp};
use std::{sync::Arc, time::Duration};

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
    incoming: Arc<Incoming>,
    parts: Parts,
}

/// How long a service that takes a pause for an order holds an update back.
const PAUSE: Duration = Duration::from_secs(1);

/// What lies between a look and the write that follows from it.
const MOMENT: Duration = Duration::from_millis(5);

/// How long a torn service leaves the gap open: long enough for a kill to fall into it.
const GAP: Duration = Duration::from_millis(150);

impl Rest {
    /// Whose work it is.
    pub fn event_id(&self) -> &EventId {
        &self.incoming.event.id
    }
}

/// How the work of a delivery is divided: what is committed first, and what is left over, with whether 200 comes before it.
struct Split {
    first: Option<Parts>,
    rest: Option<(bool, Parts)>,
}

impl Process {
    /// Takes one genuine delivery in.
    ///
    /// # Errors
    /// The store's; the delivery must not be acknowledged then.
    pub fn receive(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        incoming: &Arc<Incoming>,
    ) -> Result<Received, StoreError> {
        let mut received = self.receive_batch(store, now, std::slice::from_ref(incoming));
        received.pop().unwrap_or_else(|| Err(StoreError::Broken("a batch of one has no outcome".to_owned())))
    }

    /// Takes genuine deliveries in, in their order and in one transaction; one outcome each. An event that the store refuses
    /// fails alone. A delivery whose outcome is an error must not be acknowledged; no other may be before this returns.
    pub fn receive_batch(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        batch: &[Arc<Incoming>],
    ) -> Vec<Result<Received, StoreError>> {
        let Split { first, rest } = self.split();
        let mut accepted = match first {
            None => vec![Ok(Accepted { duplicate: false }); batch.len()],
            Some(parts) if self.settings.defects.has(Defect::DedupeInMemory) => {
                batch.iter().map(|incoming| self.ingest_remembering(store, now, incoming, parts)).collect()
            }
            Some(parts) if self.settings.defects.has(Defect::LocksCross) => {
                (0..batch.len()).flat_map(|at| self.ingest_locking(store, now, &batch[..=at], parts)).collect()
            }
            Some(parts) => self.ingest_all(store, now, batch, parts),
        };
        let swallow = self.settings.defects.has(Defect::ErrorsAnswered200);
        for accepted in accepted.iter_mut().filter(|accepted| swallow && accepted.is_err()) {
            *accepted = Ok(Accepted { duplicate: false });
        }
        for accepted in &accepted {
            self.note(now, if accepted.is_ok() { Answered::Well } else { Answered::Failed }, 1);
        }
        let outcome = |(incoming, accepted): (&Arc<Incoming>, Result<Accepted, StoreError>)| {
            let accepted = accepted?;
            Ok(match rest {
                _ if self.waits(incoming) && !accepted.duplicate => {
                    let parts = Parts { check: false, ..Parts::ALL };
                    Received::Torn(Rest { acked: false, after: PAUSE, incoming: Arc::clone(incoming), parts })
                }
                Some((acked, parts)) if !accepted.duplicate && race::is_torn(&self.settings.defects) => {
                    let first = store.transact(|tx| race::is_first(tx, incoming, &self.settings.defects))?;
                    let parts = Parts { first, ..parts };
                    Received::Torn(Rest { acked, after: MOMENT, incoming: Arc::clone(incoming), parts })
                }
                Some((acked, parts)) if !accepted.duplicate => {
                    Received::Torn(Rest { acked, after: GAP, incoming: Arc::clone(incoming), parts })
                }
                _ => Received::Settled(accepted),
            })
        };
        batch.iter().zip(accepted).map(outcome).collect()
    }

    fn split(&self) -> Split {
        let none = Parts::NONE;
        let has = |defect| self.settings.defects.has(defect);
        let torn = |first, rest| Split { first: Some(first), rest: Some((false, Parts { check: false, ..rest })) };
        if race::is_torn(&self.settings.defects) {
            torn(none, Parts::ALL)
        } else if has(Defect::AckBeforePersist) {
            Split { first: None, rest: Some((true, Parts::ALL)) }
        } else if has(Defect::CheckThenInsert) {
            torn(none, Parts::ALL)
        } else if has(Defect::SeenIsApplied) {
            torn(Parts { mark: true, ..none }, Parts { mark: false, ..Parts::ALL })
        } else if has(Defect::JobBeforeCommit) {
            torn(Parts { jobs: true, ..none }, Parts { jobs: false, ..Parts::ALL })
        } else if has(Defect::JobAfterCommit) {
            torn(Parts { jobs: false, ..Parts::ALL }, Parts { jobs: true, ..none })
        } else if has(Defect::CallsBeforeAck) {
            torn(Parts::ALL, none)
        } else {
            Split { first: Some(Parts { check: !has(Defect::DedupeInMemory), ..Parts::ALL }), rest: None }
        }
    }

    /// Whether an event is held back for a while, in the hope that what belongs before it comes meanwhile.
    fn waits(&self, incoming: &Incoming) -> bool {
        self.settings.defects.has(Defect::PauseForOrder) && incoming.event.kind == "customer.subscription.updated"
    }

    /// One transaction; when the store refuses it, one for each half, down to the event that is to blame.
    fn ingest_all(
        &self,
        store: &mut Store,
        now: Timestamp,
        batch: &[Arc<Incoming>],
        parts: Parts,
    ) -> Vec<Result<Accepted, StoreError>> {
        let all = store.transact(|tx| {
            let parts = |incoming: &Incoming| if self.waits(incoming) { Parts::NONE } else { parts };
            let each = batch.iter();
            each.map(|incoming| ingest::ingest(tx, now, &self.settings, incoming, parts(incoming))).collect()
        });
        match all {
            Ok(accepted) => Vec::into_iter(accepted).map(Ok).collect(),
            Err(StoreError::Refuse(_)) if batch.len() > 1 => {
                let (front, back) = batch.split_at(batch.len() / 2);
                let mut accepted = self.ingest_all(store, now, front, parts);
                accepted.extend(self.ingest_all(store, now, back, parts));
                accepted
            }
            Err(error) => vec![Err(error); batch.len()],
        }
    }

    /// The last of these events in a transaction of its own, unless another one locks it out.
    fn ingest_locking(
        &self,
        store: &mut Store,
        now: Timestamp,
        events: &[Arc<Incoming>],
        parts: Parts,
    ) -> Vec<Result<Accepted, StoreError>> {
        if race::is_locked_out(events, &self.settings.defects) {
            return vec![Err(StoreError::Retry("deadlock".to_owned()))];
        }
        self.ingest_all(store, now, &events[events.len().saturating_sub(1)..], parts)
    }

    fn ingest_remembering(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        incoming: &Incoming,
        parts: Parts,
    ) -> Result<Accepted, StoreError> {
        if self.remembered.contains(&incoming.event.id) {
            return Ok(Accepted { duplicate: true });
        }
        let accepted = store.transact(|tx| ingest::ingest(tx, now, &self.settings, incoming, parts))?;
        self.remembered.insert(incoming.event.id.clone());
        Ok(accepted)
    }

    /// Does what [`Process::receive_batch`] left over of one delivery; some may be left over again.
    ///
    /// # Errors
    /// The store's.
    pub fn resume(&mut self, store: &mut Store, now: Timestamp, rest: &Rest) -> Result<Received, StoreError> {
        let settings = &self.settings;
        store.transact(|tx| {
            let accepted = ingest::ingest(tx, now, settings, &rest.incoming, rest.parts)?;
            if settings.defects.has(Defect::CallsBeforeAck) && ingest::awaits_crm(tx, settings, &rest.incoming)? {
                return Ok(Received::Torn(rest.clone()));
            }
            Ok(Received::Settled(accepted))
        })
    }

    /// Hears of a delivery whose signature is bad. The sound service keeps nothing of it (bug class 50).
    ///
    /// # Errors
    /// The store's.
    pub fn forged(&self, store: &mut Store, now: Timestamp, body: &str) -> Result<(), StoreError> {
        if self.settings.defects.has(Defect::ForgedMarksSeen)
            && let Some(event) = reading::event(body)
        {
            store.transact(|tx| tx.record_event(&event, now))?;
        }
        Ok(())
    }
}
