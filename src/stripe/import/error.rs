//! What is wrong with a recording, and where.
//!
//! Must not know: what a recording is.

use std::fmt;

/// More errors than this help nobody; the rest is counted.
const MOST: usize = 25;

/// One bad place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// The file as the user named it.
    pub file: String,
    /// 1-based line; 0 when the file as a whole is meant.
    pub line: usize,
    /// 1-based column in characters; 0 when the file as a whole is meant.
    pub column: usize,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.what),
        }
    }
}

/// All bad places of a recording, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportErrors(pub Vec<ImportError>);

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportErrors {}

/// A place in a text, 1-based.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// The place of byte `at` of `text`.
    pub(super) fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// Collects errors while reading goes on.
#[derive(Default)]
pub(super) struct Errors {
    found: Vec<ImportError>,
    more: usize,
}

impl Errors {
    pub(super) fn push(&mut self, file: &str, place: Place, what: String) {
        self.add(ImportError { file: file.to_owned(), line: place.line, column: place.column, what });
    }

    pub(super) fn push_file(&mut self, file: &str, what: String) {
        self.add(ImportError { file: file.to_owned(), line: 0, column: 0, what });
    }

    pub(super) fn count(&self) -> usize {
        self.found.len() + self.more
    }

    pub(super) fn into_result<T>(mut self, value: T) -> Result<T, ImportErrors> {
        if self.found.is_empty() {
            return Ok(value);
        }
        if self.more > 0 {
            let last = self.found.last().map(|error| error.file.clone()).unwrap_or_default();
            let what = format!("and {} more errors", self.more);
            self.found.push(ImportError { file: last, line: 0, column: 0, what });
        }
        Err(ImportErrors(self.found))
    }

    fn add(&mut self, error: ImportError) {
        match self.found.len() < MOST {
            true => self.found.push(error),
            false => self.more += 1,
        }
    }
}
