//! What is wrong with a recording, and where.
//!
//! Must not know: what a recording is.

use std::fmt;

/// More errors than this help nobody; reading stops there, which also bounds the work on a broken file.
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

/// Finds places one after another without counting from the beginning each time.
#[derive(Default)]
pub(super) struct Cursor {
    at: usize,
    line: usize,
    column: usize,
}

impl Cursor {
    /// The place of byte `at` of `text`, which is the same text at every call.
    pub(super) fn place(&mut self, text: &str, at: usize) -> Place {
        if at < self.at {
            *self = Self::default();
        }
        let between = text.get(self.at..at).unwrap_or_default();
        match between.rfind('\n') {
            Some(end) => {
                self.line += between.matches('\n').count();
                self.column = between[end + 1..].chars().count();
            }
            None => self.column += between.chars().count(),
        }
        self.at = at;
        Place { line: self.line + 1, column: self.column + 1 }
    }
}

/// Collects errors while reading goes on.
#[derive(Default)]
pub(super) struct Errors {
    found: Vec<ImportError>,
}

impl Errors {
    pub(super) fn push(&mut self, file: &str, place: Place, what: String) {
        self.add(ImportError { file: file.to_owned(), line: place.line, column: place.column, what });
    }

    pub(super) fn push_file(&mut self, file: &str, what: String) {
        self.add(ImportError { file: file.to_owned(), line: 0, column: 0, what });
    }

    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether there are so many that reading on helps nobody.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    pub(super) fn into_result<T>(mut self, value: T) -> Result<T, ImportErrors> {
        if self.found.is_empty() {
            return Ok(value);
        }
        if self.is_full() {
            self.found.truncate(MOST);
            let last = self.found.last().map(|error| error.file.clone()).unwrap_or_default();
            let what = "there may be more errors; reading stopped here".to_owned();
            self.found.push(ImportError { file: last, line: 0, column: 0, what });
        }
        Err(ImportErrors(self.found))
    }

    fn add(&mut self, error: ImportError) {
        self.found.push(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_finds_what_counting_finds() {
        let text = "ab\né\u{1f600}x\n\nlast";
        let mut cursor = Cursor::default();
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for at in places.iter().chain([&0, &9, &4]).filter(|at| text.is_char_boundary(**at)) {
            assert_eq!(cursor.place(text, *at), Place::of(text, *at), "{at}");
        }
        assert_eq!(Place::of(text, text.len()), Place { line: 4, column: 5 });
    }
}
