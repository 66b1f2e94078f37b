//! The store in PostgreSQL, for several service processes over one database.
//!
//! One transaction writes at a time: each begins by taking a lock of the schema, in whose queue nobody is overtaken, and then
//! sees all that was committed before it. The lock is given on before the commit is on disk and the disk is waited for
//! afterwards, so that several processes share that wait; nobody is answered before. Readers see one moment and wait for
//! nobody. Serialisable transactions that are run again when they meet were tried first: single deliveries went well (of the
//! transactions of three processes one in sixteen was undone), but batches read so much that they always met, and in the end
//! the deliveries were refused.
//!
//! Must not know: what the rows mean.

mod connect;
mod failure;
mod text;

use super::{
    ContactRow, Identity, Shelf, StoreError, Tx,
    row::{after_prefix, decode, encode, signed, unsigned},
};
use crate::{
    database::aside,
    service::{
        job::{Job, JobCounts, JobState},
        state::Party,
    },
    stripe::event::Event,
    time::Timestamp,
};
pub use connect::PostgresAt;
use failure::{Failed, failed};
use postgres::{
    Client, IsolationLevel, Row, Statement,
    types::{FromSqlOwned, ToSql},
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use text::{plain, stored};

/// How often a transaction is run whose connection broke, or for which the server had no time or room.
const RUNS: u32 = 10;

/// Longest pause before a transaction is run again.
const LONGEST_PAUSE_MS: u64 = 50;

/// A database that can be reached, with the connection that is open to it.
pub struct Postgres {
    at: PostgresAt,
    session: Option<Session>,
    reads_only: bool,
    runs_again: u64,
}

/// One connection and what was prepared on it.
struct Session {
    client: Client,
    prepared: BTreeMap<&'static str, Statement>,
    /// The server's number for it: what the jitter of this connection is drawn from.
    number: u64,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.session.is_some();
        f.debug_struct("Postgres").field("at", &self.at).field("open", &open).finish_non_exhaustive()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // A connection that does not close well is gone all the same.
            drop(aside(move || drop(session)));
        }
    }
}

impl Postgres {
    /// Connects, looks whether the server keeps what it confirms, and makes the schema when there is none.
    pub(super) fn open(at: PostgresAt, reads_only: bool) -> Result<Self, StoreError> {
        let opened = aside(|| {
            let mut session = at.connect()?;
            at.prepare_schema(&mut session.client)?;
            Ok::<_, StoreError>(session)
        });
        let session = opened.unwrap_or_else(|_| Err(StoreError::Broken("connecting panicked".to_owned())))?;
        Ok(Self { at, session: Some(session), reads_only, runs_again: 0 })
    }

    /// One setting of the connection.
    ///
    /// # Errors
    /// [`StoreError`] when the server does not know it or is gone.
    pub fn setting(&mut self, name: &str) -> Result<String, StoreError> {
        let session = self.session()?;
        let row = session.client.query_one("SELECT current_setting($1)", &[&name]).map_err(|error| failed(&error))?;
        row.try_get(0).map_err(|error| StoreError::from(failed(&error)))
    }

    /// The server's number for the connection.
    ///
    /// # Errors
    /// [`StoreError::Retry`] when there is none to be had.
    pub fn backend(&mut self) -> Result<i32, StoreError> {
        Ok(i32::try_from(self.session()?.number).unwrap_or(i32::MAX))
    }

    /// From now on the server confirms a commit before it is on disk.
    pub(super) fn leave_commits_unsynced(&mut self) -> Result<(), StoreError> {
        let session = self.session()?;
        let left = aside(|| session.client.batch_execute("SET synchronous_commit = off"));
        let left = left.map_err(|_| StoreError::Broken("the connection panicked".to_owned()))?;
        left.map_err(|error| StoreError::from(failed(&error)))
    }

    /// Keeps every table that is written with an event from being written by others, as long as the connection lasts.
    pub(super) fn hold(&mut self) -> Result<(), StoreError> {
        let session = self.session()?;
        let hold = "SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE events, jobs IN EXCLUSIVE MODE";
        let held = aside(|| session.client.batch_execute(hold));
        let held = held.map_err(|_| StoreError::Broken("the connection panicked".to_owned()))?;
        held.map_err(|error| StoreError::from(failed(&error)))
    }

    /// How often a transaction had to be run again.
    pub const fn runs_again(&self) -> u64 {
        self.runs_again
    }

    fn session(&mut self) -> Result<&mut Session, StoreError> {
        if self.session.as_ref().is_none_or(|session| session.client.is_closed()) {
            self.session = None;
            // What was there at the start is away for a moment: a reason to wait, not to give up.
            self.session = Some(self.at.connect().map_err(|error| StoreError::Retry(error.to_string()))?);
        }
        self.session.as_mut().ok_or_else(|| StoreError::Retry("no connection".to_owned()))
    }

    /// Runs `work` until it commits. A commit whose answer is lost is not run again: it may have taken effect, and only the
    /// caller knows how to ask.
    pub(super) fn transact<T>(
        &mut self,
        work: &mut impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut run = 1;
        loop {
            let failed = match self.once(work) {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            let most = match failed {
                Failed::Store(StoreError::Retry(_)) => RUNS,
                Failed::Unknown(_) | Failed::Store(_) => 1,
            };
            if run >= most {
                return Err(failed.into());
            }
            let number = self.session.as_ref().map_or(0, |session| session.number);
            self.runs_again += 1;
            std::thread::sleep(pause(number, self.runs_again, run));
            run += 1;
        }
    }

    fn once<T>(&mut self, work: &mut impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, Failed> {
        let (reads, lock) = (self.reads_only, self.at.lock());
        let session = self.session()?;
        session.committed(reads, lock, work)
    }
}

impl Session {
    /// What `work` answers, once it is committed and on the server's disk.
    fn committed<T>(
        &mut self,
        reads: bool,
        lock: i64,
        work: &mut impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, Failed> {
        let isolation = if reads { IsolationLevel::RepeatableRead } else { IsolationLevel::ReadCommitted };
        let begun = self.client.build_transaction().isolation_level(isolation).read_only(reads).start();
        let inner = begun.map_err(|error| failed(&error))?;
        let mut transaction = Transaction { inner, prepared: &mut self.prepared, reads, failed: None };
        if !reads {
            transaction.rows(BEGIN, &[&lock])?;
        }
        let mut tx = Tx::Postgres(transaction);
        let done = work(&mut tx);
        let Tx::Postgres(transaction) = tx else {
            return Err(Failed::Store(StoreError::Broken("another store's transaction".to_owned())));
        };
        if let Some(failed) = transaction.failed {
            return Err(failed);
        }
        let done = done?;
        transaction.inner.commit().map_err(|error| unknown(&error))?;
        Ok(done)
    }
}

/// Begins a transaction that may write: it waits for its turn, which ends when its commit is on disk. Deliveries that wait
/// meanwhile share the next commit.
const BEGIN: &str = "SELECT pg_advisory_xact_lock($1)";

/// An error of a commit: when the server did not say what became of it, nobody knows.
fn unknown(error: &postgres::Error) -> Failed {
    match failed(error) {
        lost if error.is_closed() || error.code().is_none() => Failed::Unknown(StoreError::from(lost).to_string()),
        failed => failed,
    }
}

/// Grows with the runs so far, between a half and the whole of it, another one for each connection and time.
fn pause(connection: u64, count: u64, run: u32) -> Duration {
    let most_us = (500_u64 << run.min(7)).min(LONGEST_PAUSE_MS * 1000);
    let mixed = (connection << 32 ^ count).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    Duration::from_micros(most_us / 2 + (mixed >> 33) % (most_us / 2))
}

/// One open transaction.
pub struct Transaction<'a> {
    inner: postgres::Transaction<'a>,
    prepared: &'a mut BTreeMap<&'static str, Statement>,
    reads: bool,
    /// What the server refused: nothing of the transaction can be kept then, whatever the caller makes of it.
    failed: Option<Failed>,
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("reads", &self.reads).finish_non_exhaustive()
    }
}

type Values<'v> = &'v [&'v (dyn ToSql + Sync)];

fn column<T: FromSqlOwned>(row: &Row, place: usize) -> Result<T, StoreError> {
    row.try_get(place).map_err(|error| StoreError::Broken(format!("a row does not read: {error}")))
}

impl Transaction<'_> {
    fn rows(&mut self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, StoreError> {
        let found = match self.prepared.get(sql) {
            Some(statement) => Ok(statement.clone()),
            None => self.inner.prepare(sql).inspect(|statement| {
                self.prepared.insert(sql, statement.clone());
            }),
        };
        found.and_then(|statement| self.inner.query(&statement, values)).map_err(|error| {
            let failed = failed(&error);
            self.failed = Some(failed.clone());
            failed.into()
        })
    }

    fn number(&mut self, sql: &'static str, values: Values<'_>) -> Result<u64, StoreError> {
        let rows = self.rows(sql, values)?;
        rows.first().map_or(Ok(0), |row| Ok(unsigned(column(row, 0)?)))
    }

    fn document<T: DeserializeOwned>(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<Option<T>, StoreError> {
        let rows = self.rows(sql, values)?;
        rows.first().map(|row| decode(&column::<String>(row, 0)?)).transpose()
    }

    fn texts(&mut self, sql: &'static str, values: Values<'_>) -> Result<Vec<String>, StoreError> {
        self.rows(sql, values)?.iter().map(|row| Ok(plain(column(row, 0)?))).collect()
    }

    pub(super) fn record_event(&mut self, event: &Event, now: Timestamp) -> Result<u64, StoreError> {
        self.number(
            "INSERT INTO events AS held (id, kind, created, received_ms, deliveries, body) VALUES ($1, $2, $3, $4, 1, $5)
             ON CONFLICT (id) DO UPDATE SET deliveries = held.deliveries + 1 RETURNING deliveries",
            &[&stored(event.id.as_str()), &stored(&event.kind), &event.created, &now.millis(), &&*event.body],
        )
    }

    pub(super) fn deliveries(&mut self, event: &str) -> Result<u64, StoreError> {
        self.number("SELECT deliveries FROM events WHERE id = $1", &[&stored(event)])
    }

    pub(super) fn event_count(&mut self) -> Result<u64, StoreError> {
        self.number("SELECT count(*) FROM events", &[])
    }

    pub(super) fn party(&mut self, id: &str) -> Result<Option<Arc<Party>>, StoreError> {
        let party: Option<Party> = self.document("SELECT facts FROM parties WHERE id = $1", &[&stored(id)])?;
        Ok(party.map(Arc::new))
    }

    pub(super) fn put_party(&mut self, id: &str, party: &Party) -> Result<(), StoreError> {
        let sql = "INSERT INTO parties (id, facts) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET facts = $2";
        self.rows(sql, &[&stored(id), &encode(party)?]).map(drop)
    }

    pub(super) fn party_ids(&mut self) -> Result<Vec<String>, StoreError> {
        self.texts("SELECT id FROM parties ORDER BY id", &[])
    }

    pub(super) fn link(&mut self, identity: Identity, key: &str, party: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO identities (kind, key, party) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        self.rows(sql, &[&identity.name(), &stored(key), &stored(party)]).map(drop)
    }

    pub(super) fn linked(&mut self, identity: Identity, key: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT party FROM identities WHERE kind = $1 AND key = $2 ORDER BY party";
        self.texts(sql, &[&identity.name(), &stored(key)])
    }

    pub(super) fn contact(&mut self, email: &str) -> Result<Option<ContactRow>, StoreError> {
        let rows = self.rows("SELECT contact, written FROM contacts WHERE email = $1", &[&stored(email)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (id, written): (Option<String>, Option<String>) = (column(row, 0)?, column(row, 1)?);
        Ok(Some(ContactRow { id: id.map(plain), written: written.as_deref().map(decode).transpose()? }))
    }

    pub(super) fn put_contact(&mut self, email: &str, row: &ContactRow) -> Result<(), StoreError> {
        let written = row.written.as_ref().map(encode).transpose()?;
        self.rows(
            "INSERT INTO contacts (email, contact, written) VALUES ($1, $2, $3)
             ON CONFLICT (email) DO UPDATE SET contact = $2, written = $3",
            &[&stored(email), &row.id.as_deref().map(stored), &written],
        )
        .map(drop)
    }

    pub(super) fn contact_emails(&mut self) -> Result<Vec<String>, StoreError> {
        self.texts("SELECT email FROM contacts ORDER BY email", &[])
    }

    pub(super) fn doc(&mut self, shelf: Shelf, key: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT document FROM docs WHERE shelf = $1 AND key = $2";
        Ok(self.texts(sql, &[&shelf.name(), &stored(key)])?.pop())
    }

    pub(super) fn put_doc(&mut self, shelf: Shelf, key: &str, document: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO docs (shelf, key, document) VALUES ($1, $2, $3)
             ON CONFLICT (shelf, key) DO UPDATE SET document = $3";
        self.rows(sql, &[&shelf.name(), &stored(key), &stored(document)]).map(drop)
    }

    pub(super) fn remove_doc(&mut self, shelf: Shelf, key: &str) -> Result<(), StoreError> {
        self.rows("DELETE FROM docs WHERE shelf = $1 AND key = $2", &[&shelf.name(), &stored(key)]).map(drop)
    }

    pub(super) fn docs(&mut self, shelf: Shelf, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let from = stored(prefix);
        let rows = match after_prefix(&from) {
            Some(until) => self.rows(
                "SELECT key, document FROM docs WHERE shelf = $1 AND key >= $2 AND key < $3 ORDER BY key",
                &[&shelf.name(), &from, &until],
            ),
            None => self.rows(
                "SELECT key, document FROM docs WHERE shelf = $1 AND key >= $2 ORDER BY key",
                &[&shelf.name(), &from],
            ),
        };
        rows?.iter().map(|row| Ok((plain(column(row, 0)?), plain(column(row, 1)?)))).collect()
    }

    pub(super) fn job(&mut self, id: u64) -> Result<Option<Job>, StoreError> {
        self.document("SELECT job FROM jobs WHERE id = $1", &[&signed(id)])
    }

    pub(super) fn job_by_key(&mut self, key: &str) -> Result<Option<Job>, StoreError> {
        self.document("SELECT job FROM jobs WHERE key = $1", &[&stored(key)])
    }

    /// From a sequence: numbers of transactions that were undone are left out, and no two transactions wait for each other.
    pub(super) fn next_job_id(&mut self) -> Result<u64, StoreError> {
        self.number("SELECT nextval('job_ids')", &[])
    }

    pub(super) fn put_job(&mut self, job: &Job) -> Result<(), StoreError> {
        let ready_ms = job.ready().map(Timestamp::millis);
        self.rows(
            "INSERT INTO jobs (id, key, state, ready_ms, job) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (id) DO UPDATE SET key = $2, state = $3, ready_ms = $4, job = $5",
            &[&signed(job.id), &stored(&job.task.key()), &job.state.name(), &ready_ms, &encode(job)?],
        )
        .map(drop)
    }

    /// A job that another transaction is just claiming is passed over.
    pub(super) fn first_ready(&mut self, running: bool) -> Result<Option<Job>, StoreError> {
        if self.reads {
            return self.document(
                "SELECT job FROM jobs WHERE ready_ms IS NOT NULL AND ($1 OR state <> 'running')
                 ORDER BY ready_ms, id LIMIT 1",
                &[&running],
            );
        }
        self.document(
            "SELECT job FROM jobs WHERE ready_ms IS NOT NULL AND ($1 OR state <> 'running')
             ORDER BY ready_ms, id LIMIT 1 FOR UPDATE SKIP LOCKED",
            &[&running],
        )
    }

    pub(super) fn dead_jobs(&mut self) -> Result<Vec<Job>, StoreError> {
        let rows = self.rows("SELECT job FROM jobs WHERE state = 'dead' ORDER BY id", &[])?;
        rows.iter().map(|row| decode(&column::<String>(row, 0)?)).collect()
    }

    pub(super) fn job_counts(&mut self) -> Result<JobCounts, StoreError> {
        let mut counts = JobCounts::default();
        for row in self.rows("SELECT state, count(*) FROM jobs GROUP BY state", &[])? {
            let (name, number): (String, i64) = (column(&row, 0)?, column(&row, 1)?);
            let state = JobState::ALL.into_iter().find(|state| state.name() == name);
            let state = state.ok_or_else(|| StoreError::Broken(format!("no job is in a state `{name}`")))?;
            counts.add(state, unsigned(number));
        }
        Ok(counts)
    }
}
