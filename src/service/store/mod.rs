//! What the service keeps, behind one transaction shape: in memory, in SQLite or in PostgreSQL.
//!
//! A closure given to [`Store::transact`] is pure over its transaction: it may be run again.
//! Must not know: what the rows mean.

pub mod memory;
pub mod postgres;
mod row;
pub mod sqlite;

use super::{
    job::{Job, JobCounts},
    state::Party,
};
use crate::{stripe::event::Event, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, sync::Arc};

pub use memory::Memory;
pub use postgres::{Postgres, PostgresAt};
pub use sqlite::Sqlite;

/// Why a transaction did not commit, by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Busy: the same again, later.
    #[error("commit: the store is busy ({0})")]
    Retry(String),
    /// The rows do not allow it: never again.
    #[error("commit: the store refuses the change ({0})")]
    Refuse(String),
    /// The store itself is damaged or full: nothing works until a person has looked.
    #[error("use the store: {0}")]
    Broken(String),
}

/// What a party is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// The app's own user id.
    User,
    /// E-mail in lower case.
    Email,
    /// Checkout session id.
    Session,
    /// Anonymous chat session of the app.
    Chat,
    /// PaymentIntent, charge or invoice.
    Payment,
}

impl Identity {
    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Email => "email",
            Self::Session => "session",
            Self::Chat => "chat",
            Self::Payment => "payment",
        }
    }
}

/// What is known of the CRM contact of one e-mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct ContactRow {
    /// The CRM's id, once known.
    pub id: Option<String>,
    /// Our fields as last written and confirmed; `None` while uncertain.
    pub written: Option<BTreeMap<String, String>>,
}

/// A shelf of documents: small rows that are found by key alone and that no other table refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    /// Changes of customers' state, for audit.
    Trail,
    /// Requests to support, as they came.
    Support,
    /// Tickets of the desk, as last seen.
    Ticket,
    /// Customers about whom Stripe, own state, CRM and desk disagree.
    Finding,
    /// Alerts that were raised.
    Alert,
    /// What is counted over time.
    Counter,
    /// Where a recurring job stands.
    Cursor,
    /// Checkout sessions that were opened here.
    Checkout,
}

impl Shelf {
    /// All shelves.
    pub const ALL: [Self; 8] = [
        Self::Trail,
        Self::Support,
        Self::Ticket,
        Self::Finding,
        Self::Alert,
        Self::Counter,
        Self::Cursor,
        Self::Checkout,
    ];

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trail => "trail",
            Self::Support => "support",
            Self::Ticket => "ticket",
            Self::Finding => "finding",
            Self::Alert => "alert",
            Self::Counter => "counter",
            Self::Cursor => "cursor",
            Self::Checkout => "checkout",
        }
    }
}

/// How often a busy transaction is run before the caller hears of it.
const RUNS: u32 = 5;

/// Where the rows are.
#[derive(Debug)]
pub enum Store {
    /// In the process.
    Memory(Memory),
    /// In an SQLite file.
    Sqlite(Sqlite),
    /// In a PostgreSQL database, which other processes use too.
    Postgres(Box<Postgres>),
}

/// One open transaction.
#[derive(Debug)]
pub enum Tx<'a> {
    /// Over memory.
    Memory(memory::Transaction<'a>),
    /// Over SQLite.
    Sqlite(sqlite::Transaction<'a>),
    /// Over PostgreSQL.
    Postgres(postgres::Transaction<'a>),
}

impl Store {
    /// An empty store in memory.
    pub fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    /// A copy of a store in memory; `None` of one on a disk, which cannot be copied.
    pub fn snapshot(&self) -> Option<Self> {
        match self {
            Self::Memory(memory) => Some(Self::Memory(memory.clone())),
            Self::Sqlite(_) | Self::Postgres(_) => None,
        }
    }

    /// Lets every transaction of a store in memory be undone and answer [`StoreError::Retry`], until told otherwise.
    pub fn busy(&mut self, busy: bool) {
        if let Self::Memory(memory) = self {
            memory.busy_for(if busy { u32::MAX } else { 0 });
        }
    }

    /// Feeds every row of a store in memory to `state`; event bodies go by their id. Of a store on a disk, nothing.
    pub fn hash_rows<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::Memory(memory) => std::hash::Hash::hash(memory, state),
            Self::Sqlite(_) | Self::Postgres(_) => {}
        }
    }

    /// The store in `path`, made when absent.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the file cannot be opened or has another schema version.
    pub fn sqlite(path: &Path) -> Result<Self, StoreError> {
        Sqlite::open(path).map(Self::Sqlite)
    }

    /// The store in `path`, to read from beside the one who writes: each transaction sees what was committed before it.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when there is no such file.
    pub fn sqlite_reader(path: &Path) -> Result<Self, StoreError> {
        Sqlite::open_reader(path).map(Self::Sqlite)
    }

    /// From now on a commit in a file is answered before it is on disk (deliberate defect 31).
    ///
    /// # Errors
    /// The store's.
    pub fn leave_commits_unsynced(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Sqlite(sqlite) => sqlite.leave_commits_unsynced(),
            Self::Postgres(postgres) => postgres.leave_commits_unsynced(),
        }
    }

    /// From here to [`Store::commit_group`] transactions stay apart (each is all or nothing by itself) but share one commit:
    /// nothing of them is seen by others or survives before that has succeeded, so nobody may be told of them before. To
    /// a crash it looks as if they had committed one after the other without a pause. In memory and in
    /// PostgreSQL each commits by itself.
    ///
    /// # Errors
    /// The store's; then no group is open.
    pub fn begin_group(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) | Self::Postgres(_) => Ok(()),
            Self::Sqlite(sqlite) => sqlite.begin_group(),
        }
    }

    /// Commits what was done since [`Store::begin_group`].
    ///
    /// # Errors
    /// The commit's: then nothing of the group is kept, whatever its transactions were answered.
    pub fn commit_group(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) | Self::Postgres(_) => Ok(()),
            Self::Sqlite(sqlite) => sqlite.commit_group(),
        }
    }

    /// Locks the store against every other writer until it is dropped, as a program would that forgot to let go. A store in
    /// memory has no other writers: it is busy for its own.
    ///
    /// # Errors
    /// The store's; then nothing is locked.
    pub fn hold(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => self.busy(true),
            Self::Sqlite(sqlite) => sqlite.begin_group()?,
            Self::Postgres(postgres) => postgres.hold()?,
        }
        Ok(())
    }

    /// The store in a PostgreSQL database; its tables are made when absent. To be used on threads that may block.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when it cannot be reached, has another schema version or may forget what it has confirmed.
    pub fn postgres(at: &PostgresAt) -> Result<Self, StoreError> {
        Postgres::open(at.clone(), false).map(Box::new).map(Self::Postgres)
    }

    /// The store in a PostgreSQL database, to read from beside those who write: each transaction sees one moment and holds
    /// nobody up.
    ///
    /// # Errors
    /// As [`Store::postgres`].
    pub fn postgres_reader(at: &PostgresAt) -> Result<Self, StoreError> {
        Postgres::open(at.clone(), true).map(Box::new).map(Self::Postgres)
    }

    /// Runs `work` in one transaction: all of it or nothing. `work` is run again while the store says [`StoreError::Retry`].
    ///
    /// # Errors
    /// The error of `work` or of the commit; nothing is kept then.
    pub fn transact<T>(&mut self, mut work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut run = 1;
        loop {
            let done = match self {
                Self::Memory(memory) => memory.transact(&mut work),
                Self::Sqlite(sqlite) => sqlite.transact(&mut work),
                // Runs it again by itself, with a pause.
                Self::Postgres(postgres) => return postgres.transact(&mut work),
            };
            match done {
                Err(StoreError::Retry(_)) if run < RUNS => run += 1,
                done => return done,
            }
        }
    }
}

macro_rules! each {
    ($self:ident, $tx:ident => $call:expr) => {
        match $self {
            Tx::Memory($tx) => $call,
            Tx::Sqlite($tx) => $call,
            Tx::Postgres($tx) => $call,
        }
    };
}

#[expect(clippy::missing_errors_doc, reason = "all of them: the store's own errors, handed on")]
impl Tx<'_> {
    /// Notes one more delivery of the event and keeps its body the first time; answers how many there are now.
    pub fn record_event(&mut self, event: &Event, now: Timestamp) -> Result<u64, StoreError> {
        each!(self, tx => tx.record_event(event, now))
    }

    /// How often the event was recorded.
    pub fn deliveries(&mut self, event: &str) -> Result<u64, StoreError> {
        each!(self, tx => tx.deliveries(event))
    }

    /// Distinct events.
    pub fn event_count(&mut self) -> Result<u64, StoreError> {
        each!(self, tx => tx.event_count())
    }

    /// A party's facts.
    pub fn party(&mut self, id: &str) -> Result<Option<Arc<Party>>, StoreError> {
        each!(self, tx => tx.party(id))
    }

    /// Writes a party's facts.
    pub fn put_party(&mut self, id: &str, party: &Party) -> Result<(), StoreError> {
        each!(self, tx => tx.put_party(id, party))
    }

    /// All party ids, in order.
    pub fn party_ids(&mut self) -> Result<Vec<String>, StoreError> {
        each!(self, tx => tx.party_ids())
    }

    /// Notes that the party is found by `key`. The party must exist.
    pub fn link(&mut self, identity: Identity, key: &str, party: &str) -> Result<(), StoreError> {
        each!(self, tx => tx.link(identity, key, party))
    }

    /// The parties found by `key`, in order.
    pub fn linked(&mut self, identity: Identity, key: &str) -> Result<Vec<String>, StoreError> {
        each!(self, tx => tx.linked(identity, key))
    }

    /// What is known of the contact of an e-mail.
    pub fn contact(&mut self, email: &str) -> Result<Option<ContactRow>, StoreError> {
        each!(self, tx => tx.contact(email))
    }

    /// Writes what is known of the contact of an e-mail.
    pub fn put_contact(&mut self, email: &str, row: &ContactRow) -> Result<(), StoreError> {
        each!(self, tx => tx.put_contact(email, row))
    }

    /// Every e-mail with a contact row, in order.
    pub fn contact_emails(&mut self) -> Result<Vec<String>, StoreError> {
        each!(self, tx => tx.contact_emails())
    }

    /// The document under `key`.
    pub fn doc(&mut self, shelf: Shelf, key: &str) -> Result<Option<String>, StoreError> {
        each!(self, tx => tx.doc(shelf, key))
    }

    /// Writes the document under `key`; what was there is replaced.
    pub fn put_doc(&mut self, shelf: Shelf, key: &str, document: &str) -> Result<(), StoreError> {
        each!(self, tx => tx.put_doc(shelf, key, document))
    }

    /// Takes the document under `key` away, if there is one.
    pub fn remove_doc(&mut self, shelf: Shelf, key: &str) -> Result<(), StoreError> {
        each!(self, tx => tx.remove_doc(shelf, key))
    }

    /// Keys and documents whose key starts with `prefix`, by key in byte order.
    pub fn docs(&mut self, shelf: Shelf, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        each!(self, tx => tx.docs(shelf, prefix))
    }

    /// A job by number.
    pub fn job(&mut self, id: u64) -> Result<Option<Job>, StoreError> {
        each!(self, tx => tx.job(id))
    }

    /// A job by its key.
    pub fn job_by_key(&mut self, key: &str) -> Result<Option<Job>, StoreError> {
        each!(self, tx => tx.job_by_key(key))
    }

    /// The number of the next job.
    pub fn next_job_id(&mut self) -> Result<u64, StoreError> {
        each!(self, tx => tx.next_job_id())
    }

    /// Writes a job. Its key must be no other job's.
    pub fn put_job(&mut self, job: &Job) -> Result<(), StoreError> {
        each!(self, tx => tx.put_job(job))
    }

    /// The job that is ready first, whatever the time; running ones (their lease's end) only with `running`.
    pub fn first_ready(&mut self, running: bool) -> Result<Option<Job>, StoreError> {
        each!(self, tx => tx.first_ready(running))
    }

    /// All jobs that were given up, by number.
    pub fn dead_jobs(&mut self) -> Result<Vec<Job>, StoreError> {
        each!(self, tx => tx.dead_jobs())
    }

    /// Jobs by state.
    pub fn job_counts(&mut self) -> Result<JobCounts, StoreError> {
        each!(self, tx => tx.job_counts())
    }
}

#[cfg(test)]
mod tests;
