//! The store in the process: cloneable and comparable, with an undo list so that a failed transaction leaves no trace.
//!
//! Must not know: what the rows mean.

use super::{ContactRow, Identity, Shelf, StoreError};
use crate::{
    service::{
        job::{Job, JobCounts, JobState},
        state::Party,
    },
    stripe::event::Event,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// All rows.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Memory {
    events: BTreeMap<String, EventRow>,
    parties: BTreeMap<String, Arc<Party>>,
    identities: BTreeMap<(Identity, String), BTreeSet<String>>,
    contacts: BTreeMap<String, ContactRow>,
    docs: BTreeMap<(Shelf, String), String>,
    jobs: BTreeMap<u64, Job>,
    job_keys: BTreeMap<String, u64>,
    ready: BTreeSet<(Timestamp, u64)>,
    busy: u32,
}

#[derive(Clone, Debug, PartialEq)]
struct EventRow {
    event: Event,
    received: Timestamp,
    deliveries: u64,
}

/// The body goes by the event's id: it is large, never changes, and equal rows still hash alike.
impl std::hash::Hash for EventRow {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.event.id, self.received, self.deliveries).hash(state);
    }
}

impl Memory {
    /// The next `times` transactions run to their end, are undone, and answer [`StoreError::Retry`]: what a database does
    /// on a serialisation failure.
    pub fn busy_for(&mut self, times: u32) {
        self.busy = times;
    }

    pub(super) fn transact<T>(
        &mut self,
        work: &mut impl FnMut(&mut super::Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let busy = self.busy > 0;
        self.busy = self.busy.saturating_sub(1);
        let mut tx = super::Tx::Memory(Transaction { rows: self, undo: Vec::new() });
        let done = work(&mut tx)?;
        if busy {
            return Err(StoreError::Retry("told to be busy".to_owned()));
        }
        if let super::Tx::Memory(tx) = &mut tx {
            tx.undo.clear();
        }
        Ok(done)
    }
}

type Undo = Box<dyn FnOnce(&mut Memory)>;

/// One open transaction.
pub struct Transaction<'a> {
    rows: &'a mut Memory,
    undo: Vec<Undo>,
}

/// Not committed, by an error or a panic: everything is put back.
impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        for step in std::mem::take(&mut self.undo).into_iter().rev() {
            step(self.rows);
        }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("writes", &self.undo.len()).finish_non_exhaustive()
    }
}

/// Puts `old` back under `key`, or removes what is there.
fn restore<K: Ord, V>(rows: &mut BTreeMap<K, V>, key: K, old: Option<V>) {
    match old {
        Some(value) => drop(rows.insert(key, value)),
        None => drop(rows.remove(&key)),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the same shape as the stores that can fail")]
impl Transaction<'_> {
    fn undo(&mut self, step: impl FnOnce(&mut Memory) + 'static) {
        self.undo.push(Box::new(step));
    }

    pub(super) fn record_event(&mut self, event: &Event, now: Timestamp) -> Result<u64, StoreError> {
        let id = event.id.as_str().to_owned();
        let fresh = EventRow { event: event.clone(), received: now, deliveries: 0 };
        let row = self.rows.events.entry(id.clone()).or_insert(fresh);
        row.deliveries += 1;
        let deliveries = row.deliveries;
        self.undo(move |rows| match deliveries {
            1 => drop(rows.events.remove(&id)),
            more => drop(rows.events.get_mut(&id).map(|row| row.deliveries = more - 1)),
        });
        Ok(deliveries)
    }

    pub(super) fn deliveries(&mut self, event: &str) -> Result<u64, StoreError> {
        Ok(self.rows.events.get(event).map_or(0, |row| row.deliveries))
    }

    pub(super) fn event_count(&mut self) -> Result<u64, StoreError> {
        Ok(self.rows.events.len() as u64)
    }

    pub(super) fn party(&mut self, id: &str) -> Result<Option<Arc<Party>>, StoreError> {
        Ok(self.rows.parties.get(id).cloned())
    }

    pub(super) fn put_party(&mut self, id: &str, party: &Party) -> Result<(), StoreError> {
        let old = self.rows.parties.insert(id.to_owned(), Arc::new(party.clone()));
        let id = id.to_owned();
        self.undo(move |rows| restore(&mut rows.parties, id, old));
        Ok(())
    }

    pub(super) fn party_ids(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(self.rows.parties.keys().cloned().collect())
    }

    pub(super) fn link(&mut self, identity: Identity, key: &str, party: &str) -> Result<(), StoreError> {
        if !self.rows.parties.contains_key(party) {
            return Err(StoreError::Refuse("a link to a party that does not exist".to_owned()));
        }
        let place = (identity, key.to_owned());
        let set = self.rows.identities.entry(place.clone()).or_default();
        if set.insert(party.to_owned()) {
            let party = party.to_owned();
            self.undo(move |rows| {
                if let Some(set) = rows.identities.get_mut(&place) {
                    set.remove(&party);
                    if set.is_empty() {
                        rows.identities.remove(&place);
                    }
                }
            });
        }
        Ok(())
    }

    pub(super) fn linked(&mut self, identity: Identity, key: &str) -> Result<Vec<String>, StoreError> {
        let set = self.rows.identities.get(&(identity, key.to_owned()));
        Ok(set.into_iter().flatten().cloned().collect())
    }

    pub(super) fn contact(&mut self, email: &str) -> Result<Option<ContactRow>, StoreError> {
        Ok(self.rows.contacts.get(email).cloned())
    }

    pub(super) fn put_contact(&mut self, email: &str, row: &ContactRow) -> Result<(), StoreError> {
        let old = self.rows.contacts.insert(email.to_owned(), row.clone());
        let email = email.to_owned();
        self.undo(move |rows| restore(&mut rows.contacts, email, old));
        Ok(())
    }

    pub(super) fn contact_emails(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(self.rows.contacts.keys().cloned().collect())
    }

    pub(super) fn doc(&mut self, shelf: Shelf, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.rows.docs.get(&(shelf, key.to_owned())).cloned())
    }

    pub(super) fn put_doc(&mut self, shelf: Shelf, key: &str, document: &str) -> Result<(), StoreError> {
        let place = (shelf, key.to_owned());
        let old = self.rows.docs.insert(place.clone(), document.to_owned());
        self.undo(move |rows| restore(&mut rows.docs, place, old));
        Ok(())
    }

    pub(super) fn remove_doc(&mut self, shelf: Shelf, key: &str) -> Result<(), StoreError> {
        let place = (shelf, key.to_owned());
        let old = self.rows.docs.remove(&place);
        self.undo(move |rows| restore(&mut rows.docs, place, old));
        Ok(())
    }

    pub(super) fn docs(&mut self, shelf: Shelf, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let from = self.rows.docs.range((shelf, prefix.to_owned())..);
        let found = from.take_while(|((held, key), _)| *held == shelf && key.starts_with(prefix));
        Ok(found.map(|((_, key), document)| (key.clone(), document.clone())).collect())
    }

    pub(super) fn job(&mut self, id: u64) -> Result<Option<Job>, StoreError> {
        Ok(self.rows.jobs.get(&id).cloned())
    }

    pub(super) fn job_by_key(&mut self, key: &str) -> Result<Option<Job>, StoreError> {
        Ok(self.rows.job_keys.get(key).and_then(|id| self.rows.jobs.get(id)).cloned())
    }

    pub(super) fn next_job_id(&mut self) -> Result<u64, StoreError> {
        Ok(self.rows.jobs.last_key_value().map_or(1, |(id, _)| id + 1))
    }

    pub(super) fn put_job(&mut self, job: &Job) -> Result<(), StoreError> {
        let key = job.task.key();
        if self.rows.job_keys.get(&key).is_some_and(|id| *id != job.id) {
            return Err(StoreError::Refuse("two jobs with one key".to_owned()));
        }
        let old = self.rows.jobs.get(&job.id).cloned();
        self.rows.replace_job(job.id, Some(job.clone()));
        let id = job.id;
        self.undo(move |rows| rows.replace_job(id, old));
        Ok(())
    }

    pub(super) fn first_ready(&mut self, running: bool) -> Result<Option<Job>, StoreError> {
        let jobs = self.rows.ready.iter().filter_map(|(_, id)| self.rows.jobs.get(id));
        Ok(jobs.into_iter().find(|job| running || job.state != JobState::Running).cloned())
    }

    pub(super) fn dead_jobs(&mut self) -> Result<Vec<Job>, StoreError> {
        Ok(self.rows.jobs.values().filter(|job| job.state == JobState::Dead).cloned().collect())
    }

    pub(super) fn job_counts(&mut self) -> Result<JobCounts, StoreError> {
        let mut counts = JobCounts::default();
        for job in self.rows.jobs.values() {
            counts.add(job.state, 1);
        }
        Ok(counts)
    }
}

impl Memory {
    fn replace_job(&mut self, id: u64, job: Option<Job>) {
        if let Some(old) = self.jobs.remove(&id) {
            self.job_keys.remove(&old.task.key());
            if let Some(at) = old.ready() {
                self.ready.remove(&(at, id));
            }
        }
        if let Some(job) = job {
            self.job_keys.insert(job.task.key(), id);
            if let Some(at) = job.ready() {
                self.ready.insert((at, id));
            }
            self.jobs.insert(id, job);
        }
    }
}
