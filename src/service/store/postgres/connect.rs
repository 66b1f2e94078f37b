//! Reaching PostgreSQL: the URL, TLS, the settings of a session, the schema; and what the server must promise.
//!
//! Must not know: the environment, what the rows mean.

use super::{super::StoreError, Session, failure::failed};
use crate::service::config::Secret;
use postgres::{
    Client, NoTls,
    config::{Config, Host, SslMode},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use sha2::{Digest, Sha256};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio_postgres_rustls::MakeRustlsConnect;

const SCHEMA_VERSION: i64 = 2;

/// Any number that no other program locks: "hookdril".
const SCHEMA_LOCK: i64 = 0x686f_6f6b_6472_696c;

/// The schema that is used when none is named.
const DEFAULT_SCHEMA: &str = "hookdrill";

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

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
        let url = self.url.expose();
        let escaped = url
            .split_once("://")
            .and_then(|(_, rest)| rest.rsplit_once('@'))
            .and_then(|(user, _)| user.split_once(':'));
        let parsed: Option<Config> = url.parse().ok();
        let plain =
            parsed.as_ref().and_then(Config::get_password).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let passwords = plain.into_iter().chain(escaped.map(|(_, password)| password.to_owned()));
        std::iter::once(self.url.clone()).chain(passwords.map(Secret::new)).collect()
    }

    /// Takes the schema with all its rows away.
    ///
    /// # Errors
    /// [`StoreError`] when the server is not reached or does not allow it.
    pub fn drop_schema(&self) -> Result<(), StoreError> {
        let dropped = super::aside(|| {
            let mut session = self.connect()?;
            let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.quoted()?);
            session.client.batch_execute(&sql).map_err(|error| StoreError::from(failed(&error)))
        });
        dropped.unwrap_or_else(|_| Err(StoreError::Broken("connecting panicked".to_owned())))
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

    fn config(&self) -> Result<Config, StoreError> {
        // The parser's own words may hold a part of the password.
        let mut config: Config = self.url.expose().parse().map_err(|_| {
            let like = "postgresql://user:password@host:5432/database?sslmode=require";
            StoreError::Broken(format!(
                "the URL of the database does not read; it should look like {like} (special characters as %40), \
                 and `sslmode` is disable, prefer or require"
            ))
        })?;
        config.application_name("hookdrill");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        // A peer that has vanished without a word is noticed in seconds.
        config.tcp_user_timeout(Duration::from_secs(15)).keepalives_idle(Duration::from_secs(15));
        Ok(config)
    }

    pub(super) fn connect(&self) -> Result<Session, StoreError> {
        let mut config = self.config()?;
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => false,
            SslMode::Require => true,
            // Nobody listens between two processes of one machine; over a network nothing is sent in the clear unasked.
            _ => !is_local(&config),
        };
        let connected = if tls {
            config.ssl_mode(SslMode::Require);
            config.connect(MakeRustlsConnect::new(self.tls()?))
        } else {
            config.ssl_mode(SslMode::Disable);
            config.connect(NoTls)
        };
        let mut client = connected.map_err(|error| unreachable(&error, tls))?;
        let number = self.settle(&mut client)?;
        Ok(Session { client, prepared: std::collections::BTreeMap::new(), number })
    }

    fn tls(&self) -> Result<ClientConfig, StoreError> {
        let mut roots = RootCertStore::empty();
        match &self.root_certificates {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let unread =
                    |why: String| StoreError::Broken(format!("read certificates from {}: {why}", path.display()));
                let found = CertificateDer::pem_file_iter(path).map_err(|error| unread(error.to_string()))?;
                for certificate in found {
                    let certificate = certificate.map_err(|error| unread(error.to_string()))?;
                    roots.add(certificate).map_err(|error| unread(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(unread("it holds none".to_owned()));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| StoreError::Broken(error.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
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

/// Whether every host of the URL is this machine.
fn is_local(config: &Config) -> bool {
    let loopback = |name: &str| name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => loopback(name),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    hosts && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

/// Why there is no connection, without the URL.
fn unreachable(error: &postgres::Error, tls: bool) -> StoreError {
    let mut why = error.to_string();
    if let Some(db) = error.as_db_error() {
        why = format!("{}: {}", db.code().code(), db.message());
    } else if let Some(source) = std::error::Error::source(error) {
        why = format!("{why}: {source}");
    }
    let hint = if tls { " (over TLS; `sslmode=disable` in the URL goes without)" } else { "" };
    StoreError::Broken(format!("cannot connect to PostgreSQL{hint}: {why}"))
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
            let shown = format!("{at:?} {}", at.config().map_or_else(|error| error.to_string(), |_| String::new()));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let at = PostgresAt::new(Secret::new("postgres://u:hunter2@127.0.0.1:1/d"));
        let error = super::super::Postgres::open(at, false).expect_err("nobody listens").to_string();
        assert!(error.contains("cannot connect") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear_unasked() {
        for (url, local) in [
            ("postgres://u@localhost/d", true),
            ("postgres://u@127.0.0.1/d", true),
            ("postgres://u@[::1]/d", true),
            ("postgres://u@%2Frun%2Fpostgresql/d", true),
            ("postgres://u@db.example.com/d", false),
            ("postgres://u@localhost,db.example.com/d", false),
            ("host=localhost hostaddr=10.0.0.1 user=u", false),
        ] {
            let config = PostgresAt::new(Secret::new(url)).config().expect(url);
            assert_eq!(is_local(&config), local, "{url}");
        }
    }

    #[test]
    fn a_schema_name_is_no_way_in() {
        for name in ["", "a\"b", "A", "a b", "a;b", &"a".repeat(64)] {
            assert!(PostgresAt::new(Secret::new("")).in_schema(name).quoted().is_err(), "{name}");
        }
        assert_eq!(PostgresAt::new(Secret::new("")).in_schema("run_7").quoted().as_deref(), Ok("\"run_7\""));
    }
}
