//! Statements on a PostgreSQL: one connection that is kept, made again when it broke. The server itself turns a row into JSON.
//!
//! Must not know: the statements.

use super::AskError;
use crate::database;
use ::postgres::{
    Client,
    types::{Format, IsNull, ToSql, Type, to_sql_checked},
};
use bytes::BytesMut;
use serde_json::Value;
use std::{error::Error, fmt, path::PathBuf};

/// What each connection is set to: nobody is kept waiting for long.
const SESSION: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET client_min_messages = warning";

/// A server, with the connection that is open to it.
pub(super) struct Server {
    url: String,
    root_certificates: Option<PathBuf>,
    client: Option<Client>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("open", &self.client.is_some()).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // A connection that does not close well is gone all the same.
            drop(database::aside(move || drop(client)));
        }
    }
}

/// A value in the server's text form, so that it fits a column of whatever type.
#[derive(Debug)]
struct AsText<'a>(&'a str);

impl ToSql for AsText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

impl Server {
    pub(super) fn at(url: String, root_certificates: Option<PathBuf>) -> Self {
        Self { url, root_certificates, client: None }
    }

    /// The first row as an object.
    pub(super) fn read(&mut self, sql: &str, values: &[String]) -> Result<Option<Value>, AskError> {
        let wrapped = format!("SELECT row_to_json(answer)::text FROM (\n{sql}\n) AS answer LIMIT 1");
        let text: Option<String> = self.with(|client| {
            let mut tx = client.build_transaction().read_only(true).start()?;
            let row = tx.query_opt(&wrapped, &as_text(values).iter().map(|v| v as _).collect::<Vec<_>>())?;
            row.map(|row| row.try_get(0)).transpose()
        })?;
        let value = text.map(|text| serde_json::from_str(&text)).transpose();
        value.map_err(|error| AskError::Failed(error.to_string()))
    }

    /// Carries it out; several statements, where none has a parameter.
    pub(super) fn write(&mut self, sql: &str, values: &[String]) -> Result<(), AskError> {
        self.with(|client| match values {
            [] => client.batch_execute(sql),
            values => {
                let values = as_text(values);
                client.execute(sql, &values.iter().map(|v| v as _).collect::<Vec<_>>()).map(drop)
            }
        })
    }

    /// Whether it is there.
    pub(super) fn reach(&mut self) -> Result<(), AskError> {
        self.with(|client| client.batch_execute("SELECT 1"))
    }

    /// A connection that broke since the last time is made again once.
    fn with<T>(&mut self, mut work: impl FnMut(&mut Client) -> Result<T, ::postgres::Error>) -> Result<T, AskError> {
        let fresh = self.client.is_none();
        match work(self.client()?) {
            Err(error) if broke(&error) && !fresh => {
                self.client = None;
                work(self.client()?).map_err(|error| said(&error))
            }
            done => done.map_err(|error| {
                if broke(&error) {
                    self.client = None;
                }
                said(&error)
            }),
        }
    }

    fn client(&mut self) -> Result<&mut Client, AskError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                let connected = database::connect(&self.url, self.root_certificates.as_deref());
                let mut client = connected.map_err(AskError::Gone)?;
                client.batch_execute(SESSION).map_err(|error| said(&error))?;
                client
            }
        };
        Ok(self.client.insert(client))
    }
}

fn as_text(values: &[String]) -> Vec<AsText<'_>> {
    values.iter().map(|value| AsText(value)).collect()
}

/// Whether the connection is of no more use: closed, or the server is going down or coming up (classes 08 and 57P).
fn broke(error: &::postgres::Error) -> bool {
    let code = error.code().map(|code| code.code());
    error.is_closed()
        || code.is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        || (code.is_none() && error.source().is_some_and(|source| source.is::<std::io::Error>()))
}

fn said(error: &::postgres::Error) -> AskError {
    let words = database::said(error);
    if broke(error) { AskError::Gone(format!("the PostgreSQL is gone: {words}")) } else { AskError::Failed(words) }
}
