//! What an error of PostgreSQL means for whoever runs the transaction.
//!
//! No text of a row, no address and no password is handed on: only the server's code and its short message.
//! Must not know: tables.

use super::super::StoreError;
use postgres::error::Error;

/// How a run of a transaction ended that did not commit.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// The commit was sent and its answer never came.
    Unknown(String),
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unknown(what) => Self::Retry(format!("whether it was committed is not known: {what}")),
            Failed::Store(error) => error,
        }
    }
}

/// Sorts an error.
pub(super) fn failed(error: &Error) -> Failed {
    let Some(db) = error.as_db_error() else {
        // Not the server's word: the connection is gone, or a value does not fit its column.
        return Failed::Store(match error.is_closed() || is_io(error) {
            true => StoreError::Retry(format!("the connection to PostgreSQL is gone: {error}")),
            false => StoreError::Broken(error.to_string()),
        });
    };
    let what = format!("{}: {}", db.code().code(), db.message());
    Failed::Store(of_code(db.code().code(), what))
}

fn is_io(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// By the class of the code (PostgreSQL, appendix A).
fn of_code(code: &str, what: String) -> StoreError {
    match code {
        // Serialisation failure, deadlock, lock or statement that took too long, a server that starts or stops or has no
        // memory or no connection left, one that has become a read-only copy.
        "40001" | "40P01" | "55P03" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" | "53200" | "53300" | "25006"
        | "25P03" => StoreError::Retry(what),
        _ => match code.get(..2) {
            // Connection exceptions.
            Some("08") => StoreError::Retry(what),
            // Data that no column takes, a broken constraint, a limit of the server.
            Some("22" | "23" | "54") => StoreError::Refuse(what),
            _ => StoreError::Broken(what),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_the_caller_does_next() {
        let of = |code: &str| of_code(code, code.to_owned());
        for code in ["40001", "40P01", "57P01", "08006", "53300", "25006"] {
            assert!(matches!(of(code), StoreError::Retry(_)), "{code}");
        }
        for code in ["23503", "23505", "23514", "22021", "22003", "54000"] {
            assert!(matches!(of(code), StoreError::Refuse(_)), "{code}");
        }
        for code in ["53100", "42P01", "XX001", "42501", ""] {
            assert!(matches!(of(code), StoreError::Broken(_)), "{code}");
        }
    }
}
