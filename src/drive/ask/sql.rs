//! Statements for the app's own database, SQLite or PostgreSQL. Named parameters are bound, never pasted into the text; the first
//! row is one JSON object.
//!
//! A probe reads only: SQLite is opened so, PostgreSQL is asked in a transaction that may not write.
//! Must not know: which statements make sense.

mod postgres;
mod sqlite;
mod text;

use super::AskError;
use crate::{
    drive::template::{Given, lacks, of_instance},
    plan::model::Instance,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A statement and its parameters.
#[derive(Clone, Debug)]
pub struct Sql {
    text: String,
    parts: Vec<text::Part>,
}

/// Where a statement goes.
#[derive(Clone)]
pub enum Database {
    /// A file, with braces.
    Sqlite(String),
    /// A server. The URL may hold a password and is never shown.
    Postgres {
        /// Where.
        url: String,
        /// Authorities to trust instead of the public ones.
        root_certificates: Option<PathBuf>,
    },
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words())
    }
}

impl Database {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("the SQLite file {path}"),
            Self::Postgres { .. } => "the PostgreSQL of `database_env`".to_owned(),
        }
    }
}

impl Sql {
    /// Reads a statement.
    ///
    /// # Errors
    /// In words, when a parameter is none of those that there are, or a quote stays open.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let parts = text::parts(text)?;
        for part in &parts {
            if let text::Part::Parameter(name) = part
                && !known.contains(&name.as_str())
            {
                let known: Vec<String> = known.iter().map(|name| format!(":{name}")).collect();
                return Err(format!("`:{name}` cannot be bound; there are {}", known.join(", ")));
            }
        }
        Ok(Self { text: text.split_whitespace().collect::<Vec<_>>().join(" "), parts })
    }

    /// In one line.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The values of its parameters, in the order of their places.
    pub(super) fn values(&self, given: &Given, instance: Option<&Instance>) -> Result<Vec<String>, AskError> {
        let names = self.parts.iter().filter_map(|part| match part {
            text::Part::Parameter(name) => Some(name),
            text::Part::Text(_) => None,
        });
        names
            .map(|name| {
                if let Some(value) = given.value(name) {
                    return Ok(value.to_owned());
                }
                let instance = instance.ok_or_else(|| AskError::Lacking(format!("there is no :{name} here")))?;
                let value = of_instance(instance, name);
                value.map(str::to_owned).ok_or_else(|| AskError::Lacking(lacks(instance, name)))
            })
            .collect()
    }

    /// With a place for each parameter: `?1` or `$1`.
    fn with_places(&self, sign: char) -> String {
        let mut text = String::new();
        let mut place = 0;
        for part in &self.parts {
            match part {
                text::Part::Text(piece) => text.push_str(piece),
                text::Part::Parameter(_) => {
                    place += 1;
                    text.push_str(&format!("{sign}{place}"));
                }
            }
        }
        text
    }
}

/// Connections that are kept, by the URL of the server.
#[derive(Debug, Default)]
pub(super) struct Sqls {
    servers: Mutex<BTreeMap<String, Arc<Mutex<postgres::Server>>>>,
    /// Files that were there once: that one is not there yet says something of the app, that it is gone does not.
    seen: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// Where a database is, filled in.
enum Place {
    File(PathBuf, Arc<Mutex<BTreeSet<PathBuf>>>),
    Server(Arc<Mutex<postgres::Server>>),
}

impl Sqls {
    fn place(&self, database: &Database, given: &Given) -> Result<Place, AskError> {
        match database {
            Database::Sqlite(path) => {
                let path = given.fill(path).map_err(AskError::Failed)?;
                Ok(Place::File(path.into(), Arc::clone(&self.seen)))
            }
            Database::Postgres { url, root_certificates } => {
                let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
                let server = servers.entry(url.clone());
                let new = || Arc::new(Mutex::new(postgres::Server::at(url.clone(), root_certificates.clone())));
                Ok(Place::Server(Arc::clone(server.or_insert_with(new))))
            }
        }
    }

    /// The first row.
    pub(super) async fn read(
        &self,
        database: &Database,
        given: &Given,
        values: Vec<String>,
        sql: &Sql,
    ) -> Result<Option<Value>, AskError> {
        let (place, sql) = (self.place(database, given)?, sql.clone());
        blocking(move || match place {
            Place::File(path, seen) => {
                there(&path, &seen)?;
                sqlite::read(&path, &sql.with_places('?'), &values)
            }
            Place::Server(server) => locked(&server).read(&sql.with_places('$'), &values),
        })
        .await
    }

    /// Carries a statement out.
    pub(super) async fn write(
        &self,
        database: &Database,
        given: &Given,
        values: Vec<String>,
        sql: &Sql,
    ) -> Result<(), AskError> {
        let (place, sql) = (self.place(database, given)?, sql.clone());
        blocking(move || match place {
            Place::File(path, seen) => {
                there(&path, &seen)?;
                sqlite::write(&path, &sql.with_places('?'), &values)
            }
            Place::Server(server) => locked(&server).write(&sql.with_places('$'), &values),
        })
        .await
    }

    /// Whether it is there. An SQLite file may still have to be made by the app.
    pub(super) async fn reach(&self, database: &Database, given: &Given) -> Result<(), AskError> {
        match database {
            Database::Sqlite(_) => Ok(()),
            Database::Postgres { .. } => {
                let place = self.place(database, given)?;
                blocking(move || match place {
                    Place::File(..) => Ok(()),
                    Place::Server(server) => locked(&server).reach(),
                })
                .await
            }
        }
    }
}

/// Whether a file is there; once it was, it must be.
fn there(path: &Path, seen: &Mutex<BTreeSet<PathBuf>>) -> Result<(), AskError> {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if path.exists() {
        seen.insert(path.to_owned());
        return Ok(());
    }
    let what = format!("there is no SQLite file {}", path.display());
    if seen.contains(path) { Err(AskError::Gone(format!("{what} any more"))) } else { Err(AskError::Failed(what)) }
}

fn locked(server: &Mutex<postgres::Server>) -> std::sync::MutexGuard<'_, postgres::Server> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AskError> + Send + 'static,
) -> Result<T, AskError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(AskError::Failed(error.to_string())))
}
