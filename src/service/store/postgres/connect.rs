//! The service's PostgreSQL: the settings of a session, the schema, and what the server must promise.
//!
//! Must not know: the environment, what the rows mean.

use super::{super::StoreError, Session, failure::failed};
use crate::{database, service::config::Secret};
use postgres::Client;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

const SCHEMA_VERSION: i64 = 2;

/// Any number that no other program locks: "hookdril".
const SCHEMA_LOCK: i64 = 0x686f_6f6b_6472_696c;

/// The schema that is used when none is named.
const DEFAULT_SCHEMA: &str = "hookdrill";

/// What each session is set to. Commits are on the server's disk before they are answered. A process that freezes in the
/// middle of a transaction is thrown out before those who wait for it give up. Statements are planned while the tables are
/// empty and kept for as long as the connection lives: they must go by the index from the start.
const SESSION: &str = "SET synchronous_commit = on; SET idle_in_transaction_session_timeout = '4s'; \
    SET lock_timeout = '8s'; SET statement_timeout = '30s'; SET enable_seqscan = off; \
    SET client_min_messages = warning";

/// Where the database is. Its URL holds a password and is never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresAt {
    url: Secret,
    schema: String,
    root_certificates: Option<PathBuf>,
}

impl PostgresAt {
    /// The database of a URL (`postgresql://user:password@host:5432/database`), in a schema of our own.
    pub fn new(url: Secret) -> Self {
        Self { url, schema: DEFAULT_SCHEMA.to_owned(), root_certificates: None }
    }

    /// Keeps the rows in another schema, made when absent.
    #[must_use]
    pub fn in_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Trusts the authorities of a PEM file instead of the public ones.
    #[must_use]
    pub fn trusting(mut self, root_certificates: Option<PathBuf>) -> Self {
        self.root_certificates = root_certificates;
        self
    }

    /// The URL, and its password as it is and as it is escaped there.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let passwords = database::passwords(self.url.expose());
        std::iter::once(self.url.clone()).chain(passwords.into_iter().map(Secret::new)).collect()
    }

    /// Takes the schema with all its rows away.
    ///
    /// # Errors
    /// [`StoreError`] when the server is not reached or does not allow it.
    pub fn drop_schema(&self) -> Result<(), StoreError> {
        let dropped = database::aside(|| {
            let mut session = self.connect()?;
            let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.quoted()?);
            session.client.batch_execute(&sql).map_err(|error| StoreError::from(failed(&error)))
        });
        dropped.unwrap_or_else(|_| Err(StoreError::Broken("connecting panicked".to_owned())))
    }

    /// Connects once: whether the server is there, and promises what the service needs of it.
    ///
    /// # Errors
    /// [`StoreError`] when not, in words.
    pub fn check(&self) -> Result<(), StoreError> {
        let connected = database::aside(|| self.connect().map(drop));
        connected.unwrap_or_else(|_| Err(StoreError::Broken("connecting panicked".to_owned())))
    }

    /// The number of the lock that those who write take: another one for each schema.
    pub(super) fn lock(&self) -> i64 {
        let digest = Sha256::digest(self.schema.as_bytes());
        digest.iter().take(8).fold(0, |number, byte| number << 8 | i64::from(*byte))
    }

    /// The name in quotes; names that would need more than that are refused.
    fn quoted(&self) -> Result<String, StoreError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.schema.is_empty() || self.schema.len() > 63 || !self.schema.chars().all(plain) {
            let what = format!("`{}` is no schema name: up to 63 of a-z, 0-9 and _", self.schema);
            return Err(StoreError::Broken(what));
        }
        Ok(format!("\"{}\"", self.schema))
    }

    pub(super) fn connect(&self) -> Result<Session, StoreError> {
        let connected = database::connect(self.url.expose(), self.root_certificates.as_deref());
        let mut client = connected.map_err(StoreError::Broken)?;
        let number = self.settle(&mut client)?;
        Ok(Session { client, prepared: std::collections::BTreeMap::new(), number })
    }

    /// Sets the session up, refuses a server that may forget what it has confirmed, and answers the session's number.
    fn settle(&self, client: &mut Client) -> Result<u64, StoreError> {
        let said = |error: postgres::Error| StoreError::from(failed(&error));
        client.batch_execute(SESSION).map_err(said)?;
        client.batch_execute(&format!("SET search_path TO {}", self.quoted()?)).map_err(said)?;
        for (setting, loses) in [
            ("fsync", "a crash of its machine loses or corrupts what it has confirmed"),
            ("full_page_writes", "a crash of its machine leaves half-written pages"),
            ("synchronous_commit", "a crash of its machine loses what it has confirmed"),
        ] {
            let row = client.query_one("SELECT current_setting($1)", &[&setting]).map_err(said)?;
            let value: String = row.try_get(0).map_err(said)?;
            if value != "on" {
                return Err(StoreError::Broken(format!(
                    "PostgreSQL runs with {setting} = {value}: {loses}; set it to on"
                )));
            }
        }
        let sql = "SELECT pg_is_in_recovery(), current_setting('server_encoding'), pg_backend_pid()";
        let row = client.query_one(sql, &[]).map_err(said)?;
        let (copy, encoding, number): (bool, String, i32) =
            (row.try_get(0).map_err(said)?, row.try_get(1).map_err(said)?, row.try_get(2).map_err(said)?);
        if copy {
            return Err(StoreError::Broken("this PostgreSQL is a read-only copy; name its primary server".to_owned()));
        }
        if encoding != "UTF8" {
            return Err(StoreError::Broken(format!("the database is encoded in {encoding}; it must be UTF8")));
        }
        Ok(u64::from(number.unsigned_abs()))
    }

    /// Makes the schema when there is none. Several processes may start at once: one makes it, the others wait.
    pub(super) fn prepare_schema(&self, client: &mut Client) -> Result<(), StoreError> {
        let said = |error: postgres::Error| StoreError::from(failed(&error));
        let mut tx = client.transaction().map_err(said)?;
        tx.execute("SELECT pg_advisory_xact_lock($1)", &[&SCHEMA_LOCK]).map_err(said)?;
        let there = tx.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&self.schema]).map_err(said)?;
        if there.is_none() {
            tx.batch_execute(&format!("CREATE SCHEMA {}", self.quoted()?)).map_err(said)?;
        }
        let row = tx.query_one("SELECT to_regclass('hookdrill_schema') IS NULL", &[]).map_err(said)?;
        if row.try_get(0).map_err(said)? {
            tx.batch_execute(include_str!("schema.sql")).map_err(said)?;
            tx.execute("INSERT INTO hookdrill_schema (version) VALUES ($1)", &[&SCHEMA_VERSION]).map_err(said)?;
        }
        let row = tx.query_opt("SELECT version FROM hookdrill_schema", &[]).map_err(said)?;
        let version: i64 = row.map_or(Ok(0), |row| row.try_get(0)).map_err(said)?;
        if version != SCHEMA_VERSION {
            let what = format!("its schema has version {version}, this program knows {SCHEMA_VERSION}");
            return Err(StoreError::Broken(what));
        }
        tx.commit().map_err(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_url_is_shown() {
        for url in [
            "postgres://u:p?hunter2=x@h/d",
            "postgres://u:hunter2@h:port/d",
            "hunter2",
            "postgres://u:hunter2@h/d?sslmode=hunter2",
        ] {
            let at = PostgresAt::new(Secret::new(url));
            let shown = format!("{at:?} {}", database::config(url).map_or_else(|error| error, |_| String::new()));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let at = PostgresAt::new(Secret::new("postgres://u:hunter2@127.0.0.1:1/d"));
        let error = super::super::Postgres::open(at, false).expect_err("nobody listens").to_string();
        assert!(error.contains("cannot connect") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_schema_name_is_no_way_in() {
        for name in ["", "a\"b", "A", "a b", "a;b", &"a".repeat(64)] {
            assert!(PostgresAt::new(Secret::new("")).in_schema(name).quoted().is_err(), "{name}");
        }
        assert_eq!(PostgresAt::new(Secret::new("")).in_schema("run_7").quoted().as_deref(), Ok("\"run_7\""));
    }
}
