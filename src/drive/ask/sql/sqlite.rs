//! Statements on an SQLite file: a connection for each, so that a file that the app has made anew is seen.
//!
//! Must not know: the statements.

use super::AskError;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Statement, types::ValueRef};
use serde_json::{Map, Value};
use std::{path::Path, time::Duration};

/// The app may hold the file for a moment.
const BUSY: Duration = Duration::from_secs(5);

/// The first row as an object.
pub(super) fn read(path: &Path, sql: &str, values: &[String]) -> Result<Option<Value>, AskError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match first_row(&connection, sql, values) {
        // A process that was killed in the middle of a transaction has left a journal: whoever reads first undoes what
        // was not committed, as SQLite does for everybody, and for that the file must not be opened for reading only.
        Err(error) if left_unfinished(&error) => {
            let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.pragma_update(None, "query_only", true).map_err(|error| failed(&error))?;
            first_row(&connection, sql, values).map_err(|error| failed(&error))
        }
        done => done.map_err(|error| failed(&error)),
    }
}

/// Carries out one statement after the other, all or none.
pub(super) fn write(path: &Path, sql: &str, values: &[String]) -> Result<(), AskError> {
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut done = || -> rusqlite::Result<()> {
        let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut batch = rusqlite::Batch::new(&tx, sql);
        while let Some(mut statement) = batch.next()? {
            bind(&mut statement, values)?;
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
        }
        tx.commit()
    };
    done().map_err(|error| failed(&error))
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, AskError> {
    let opened = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = opened.map_err(|error| gone(path, &error))?;
    connection.busy_timeout(BUSY).map_err(|error| gone(path, &error))?;
    Ok(connection)
}

fn gone(path: &Path, error: &rusqlite::Error) -> AskError {
    AskError::Gone(format!("the SQLite file {} cannot be opened: {error}", path.display()))
}

fn failed(error: &rusqlite::Error) -> AskError {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => AskError::Gone(format!("the SQLite file cannot be read: {error}")),
        _ => AskError::Failed(error.to_string()),
    }
}

fn left_unfinished(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

fn bind(statement: &mut Statement<'_>, values: &[String]) -> rusqlite::Result<()> {
    for (index, value) in values.iter().enumerate().take(statement.parameter_count()) {
        statement.raw_bind_parameter(index + 1, value)?;
    }
    Ok(())
}

fn first_row(connection: &Connection, sql: &str, values: &[String]) -> rusqlite::Result<Option<Value>> {
    let mut statement = connection.prepare(sql)?;
    bind(&mut statement, values)?;
    let declared = declared(&statement);
    let mut rows = statement.raw_query();
    rows.next()?.map(|row| object(row, &declared)).transpose()
}

/// Names of columns, and whether they are declared to hold JSON.
fn declared(statement: &Statement<'_>) -> Vec<(String, bool)> {
    let json = |kind: Option<&str>| kind.is_some_and(|kind| kind.to_ascii_uppercase().starts_with("JSON"));
    statement.columns().map(|column| (column.name().to_owned(), json(column.decl_type()))).collect()
}

fn object(row: &Row<'_>, columns: &[(String, bool)]) -> rusqlite::Result<Value> {
    let mut object = Map::new();
    for (index, (name, holds_json)) in columns.iter().enumerate() {
        object.insert(name.clone(), value(row.get_ref(index)?, *holds_json));
    }
    Ok(Value::Object(object))
}

/// SQLite knows no booleans: whoever stores 1 reads 1.
fn value(value: ValueRef<'_>, holds_json: bool) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::from(number),
        ValueRef::Real(number) => Value::from(number),
        ValueRef::Blob(bytes) => Value::String(hex::encode(bytes)),
        ValueRef::Text(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let parsed = if holds_json { serde_json::from_str(&text).ok() } else { None };
            parsed.unwrap_or_else(|| Value::String(text.into_owned()))
        }
    }
}
