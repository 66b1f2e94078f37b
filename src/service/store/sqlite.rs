//! The store in an SQLite file: one writer connection, write-ahead log, every commit on disk before it is answered.
//!
//! Must not know: what the rows mean.

use super::{
    ContactRow, Identity, Shelf, StoreError,
    row::{after_prefix, decode, encode, signed, unsigned},
};
use crate::{
    service::{
        job::{Job, JobCounts, JobState},
        state::Party,
    },
    stripe::event::Event,
    time::Timestamp,
};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, config::DbConfig, params};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

const SCHEMA_VERSION: i64 = 3;

/// How long a commit waits for another process that holds the file.
const BUSY: Duration = Duration::from_secs(2);

/// Pages of the write-ahead log (4 kB each) after which it is copied into the database. Each copying costs two more waits
/// for the disk, and a hot page is copied once however often it was written; the log is read again at a start after a crash,
/// which takes a tenth of a second at this length.
const CHECKPOINT_PAGES: i64 = 8000;

/// Memory for pages: the inner pages of the indices of some millions of events.
const CACHE_KIB: i64 = 32 * 1024;

/// Statements that stay prepared: more than there are in this file.
const STATEMENTS: usize = 64;

/// The connection.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    /// Takes no lock: it only reads.
    reads_only: bool,
    /// A group is open: transactions are parts of it.
    grouped: bool,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // What undoes a part of a group is needed by this process alone.
        connection.pragma_update(None, "temp_store", "memory")?;
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match tx.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? {
            0 => {
                tx.execute_batch(include_str!("schema.sql"))?;
                tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            SCHEMA_VERSION => {}
            other => {
                let what = format!("its schema has version {other}, this program knows {SCHEMA_VERSION}");
                return Err(StoreError::Broken(what));
            }
        }
        tx.commit()?;
        Ok(Self { connection, reads_only: false, grouped: false })
    }

    pub(super) fn open_reader(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection)?;
        Ok(Self { connection, reads_only: true, grouped: false })
    }

    pub(super) fn leave_commits_unsynced(&mut self) -> Result<(), StoreError> {
        Ok(self.connection.pragma_update(None, "synchronous", "normal")?)
    }

    /// One setting of the open connection.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite does not know it.
    pub fn pragma(&self, name: &str) -> Result<String, StoreError> {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
        Ok(match self.connection.pragma_query_value(None, name, read)? {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    }

    pub(super) fn transact<T>(
        &mut self,
        work: &mut impl FnMut(&mut super::Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.grouped {
            return run(self.connection.savepoint()?.into(), work);
        }
        let behavior = match self.reads_only {
            true => TransactionBehavior::Deferred,
            false => TransactionBehavior::Immediate,
        };
        run(self.connection.transaction_with_behavior(behavior)?.into(), work)
    }

    pub(super) fn begin_group(&mut self) -> Result<(), StoreError> {
        if self.grouped {
            // Its commit failed, or its work panicked: what it left must not be committed with what comes now.
            self.abandon_group();
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.grouped = true;
        Ok(())
    }

    pub(super) fn commit_group(&mut self) -> Result<(), StoreError> {
        let committed = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if committed.is_err() {
            self.abandon_group();
        }
        self.grouped = false;
        committed?;
        Ok(())
    }

    fn abandon_group(&mut self) {
        // An error means that SQLite has rolled back by itself, which is what is wanted.
        drop(self.connection.execute_batch("ROLLBACK"));
        self.grouped = false;
    }
}

/// What every connection is told first.
fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan that does not depend on the values: otherwise a statement is prepared anew for each of them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection.busy_timeout(BUSY)?)
}

/// A transaction, or a part of a group.
#[derive(Debug)]
enum Scope<'a> {
    Whole(rusqlite::Transaction<'a>),
    Part(rusqlite::Savepoint<'a>),
}

impl<'a> From<rusqlite::Transaction<'a>> for Scope<'a> {
    fn from(whole: rusqlite::Transaction<'a>) -> Self {
        Self::Whole(whole)
    }
}

impl<'a> From<rusqlite::Savepoint<'a>> for Scope<'a> {
    fn from(part: rusqlite::Savepoint<'a>) -> Self {
        Self::Part(part)
    }
}

impl std::ops::Deref for Scope<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Whole(whole) => whole,
            Self::Part(part) => part,
        }
    }
}

/// Dropped without its commit, by an error or a panic, a scope is rolled back.
fn run<T>(
    inner: Scope<'_>,
    work: &mut impl FnMut(&mut super::Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut tx = super::Tx::Sqlite(Transaction { inner, parties: BTreeMap::new() });
    let done = work(&mut tx)?;
    if let super::Tx::Sqlite(tx) = tx {
        match tx.inner {
            Scope::Whole(whole) => whole.commit()?,
            Scope::Part(part) => part.commit()?,
        }
    }
    Ok(done)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Retry(text),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => Self::Refuse(text),
            _ => Self::Broken(text),
        }
    }
}

/// One open transaction.
#[derive(Debug)]
pub struct Transaction<'a> {
    inner: Scope<'a>,
    /// Parties as this transaction knows them: an event's party is asked for several times, and each reading decodes it.
    parties: BTreeMap<String, Option<Arc<Party>>>,
}

impl Transaction<'_> {
    fn number(&self, sql: &str, params: impl rusqlite::Params) -> Result<u64, StoreError> {
        let row = self.inner.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?;
        Ok(unsigned(row.unwrap_or(0)))
    }

    fn document<T: DeserializeOwned>(&self, sql: &str, params: impl rusqlite::Params) -> Result<Option<T>, StoreError> {
        let row: Option<String> = self.inner.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?;
        row.as_deref().map(decode).transpose()
    }

    fn texts(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<String>, StoreError> {
        let mut statement = self.inner.prepare_cached(sql)?;
        let rows = statement.query_map(params, |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<(), StoreError> {
        self.inner.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }

    pub(super) fn record_event(&mut self, event: &Event, now: Timestamp) -> Result<u64, StoreError> {
        let id = event.id.as_str();
        self.number(
            "INSERT INTO events (id, kind, created, received_ms, deliveries, body) VALUES (?1, ?2, ?3, ?4, 1, ?5)
             ON CONFLICT (id) DO UPDATE SET deliveries = deliveries + 1 RETURNING deliveries",
            params![id, event.kind, event.created, now.millis(), &*event.body],
        )
    }

    pub(super) fn deliveries(&mut self, event: &str) -> Result<u64, StoreError> {
        self.number("SELECT deliveries FROM events WHERE id = ?1", [event])
    }

    pub(super) fn event_count(&mut self) -> Result<u64, StoreError> {
        self.number("SELECT count(*) FROM events", [])
    }

    pub(super) fn party(&mut self, id: &str) -> Result<Option<Arc<Party>>, StoreError> {
        if let Some(known) = self.parties.get(id) {
            return Ok(known.clone());
        }
        let party: Option<Party> = self.document("SELECT facts FROM parties WHERE id = ?1", [id])?;
        let party = party.map(Arc::new);
        self.parties.insert(id.to_owned(), party.clone());
        Ok(party)
    }

    pub(super) fn put_party(&mut self, id: &str, party: &Party) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO parties (id, facts) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET facts = ?2",
            params![id, encode(party)?],
        )?;
        self.parties.insert(id.to_owned(), Some(Arc::new(party.clone())));
        Ok(())
    }

    pub(super) fn party_ids(&mut self) -> Result<Vec<String>, StoreError> {
        self.texts("SELECT id FROM parties ORDER BY id", [])
    }

    pub(super) fn link(&mut self, identity: Identity, key: &str, party: &str) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO identities (kind, key, party) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            [identity.name(), key, party],
        )
    }

    pub(super) fn linked(&mut self, identity: Identity, key: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT party FROM identities WHERE kind = ?1 AND key = ?2 ORDER BY party";
        self.texts(sql, [identity.name(), key])
    }

    pub(super) fn contact(&mut self, email: &str) -> Result<Option<ContactRow>, StoreError> {
        let mut statement = self.inner.prepare_cached("SELECT contact, written FROM contacts WHERE email = ?1")?;
        let row = statement.query_row([email], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((id, written)): Option<(Option<String>, Option<String>)> = row else { return Ok(None) };
        Ok(Some(ContactRow { id, written: written.as_deref().map(decode).transpose()? }))
    }

    pub(super) fn put_contact(&mut self, email: &str, row: &ContactRow) -> Result<(), StoreError> {
        let written = row.written.as_ref().map(encode).transpose()?;
        self.execute(
            "INSERT INTO contacts (email, contact, written) VALUES (?1, ?2, ?3)
             ON CONFLICT (email) DO UPDATE SET contact = ?2, written = ?3",
            params![email, row.id, written],
        )
    }

    pub(super) fn contact_emails(&mut self) -> Result<Vec<String>, StoreError> {
        self.texts("SELECT email FROM contacts ORDER BY email", [])
    }

    pub(super) fn doc(&mut self, shelf: Shelf, key: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self.inner.prepare_cached("SELECT document FROM docs WHERE shelf = ?1 AND key = ?2")?;
        Ok(statement.query_row([shelf.name(), key], |row| row.get(0)).optional()?)
    }

    pub(super) fn put_doc(&mut self, shelf: Shelf, key: &str, document: &str) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO docs (shelf, key, document) VALUES (?1, ?2, ?3)
             ON CONFLICT (shelf, key) DO UPDATE SET document = ?3",
            [shelf.name(), key, document],
        )
    }

    pub(super) fn remove_doc(&mut self, shelf: Shelf, key: &str) -> Result<(), StoreError> {
        self.execute("DELETE FROM docs WHERE shelf = ?1 AND key = ?2", [shelf.name(), key])
    }

    pub(super) fn docs(&mut self, shelf: Shelf, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        // Without an end the scan would go on to the last row; an index compares texts as bytes, NUL and all.
        let until = after_prefix(prefix);
        let mut statement = self.inner.prepare_cached(match until {
            Some(_) => "SELECT key, document FROM docs WHERE shelf = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
            None => "SELECT key, document FROM docs WHERE shelf = ?1 AND key >= ?2 AND ?3 IS NULL ORDER BY key",
        })?;
        let rows = statement.query_map(params![shelf.name(), prefix, until], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn job(&mut self, id: u64) -> Result<Option<Job>, StoreError> {
        self.document("SELECT job FROM jobs WHERE id = ?1", [signed(id)])
    }

    pub(super) fn job_by_key(&mut self, key: &str) -> Result<Option<Job>, StoreError> {
        self.document("SELECT job FROM jobs WHERE key = ?1", [key])
    }

    pub(super) fn next_job_id(&mut self) -> Result<u64, StoreError> {
        self.number("SELECT coalesce(max(id), 0) + 1 FROM jobs", [])
    }

    pub(super) fn put_job(&mut self, job: &Job) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO jobs (id, key, state, ready_ms, job) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET key = ?2, state = ?3, ready_ms = ?4, job = ?5",
            params![signed(job.id), job.task.key(), job.state.name(), job.ready().map(Timestamp::millis), encode(job)?],
        )
    }

    pub(super) fn first_ready(&mut self, running: bool) -> Result<Option<Job>, StoreError> {
        self.document(
            "SELECT job FROM jobs WHERE ready_ms IS NOT NULL AND (?1 OR state <> 'running')
             ORDER BY ready_ms, id LIMIT 1",
            [running],
        )
    }

    pub(super) fn dead_jobs(&mut self) -> Result<Vec<Job>, StoreError> {
        let rows = self.texts("SELECT job FROM jobs WHERE state = 'dead' ORDER BY id", [])?;
        rows.iter().map(|row| decode(row)).collect()
    }

    pub(super) fn job_counts(&mut self) -> Result<JobCounts, StoreError> {
        let mut counts = JobCounts::default();
        for state in JobState::ALL {
            counts.add(state, self.number("SELECT count(*) FROM jobs WHERE state = ?1", [state.name()])?);
        }
        Ok(counts)
    }
}
