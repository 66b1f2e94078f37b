//! `history.jsonl`: the writer that a killed run cannot rob of what it had, and the reader that forgives a cut last line.
//!
//! Must not know: what a record means beyond its number and version.

use super::record::{Entry, HISTORY_VERSION, Record};
use crate::redact::Redactor;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Largest history that is read back, in bytes: about four million records. A larger one would not fit a small CI machine.
pub const LARGEST_HISTORY: u64 = 1 << 30;

/// A whole history, read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Records in order; the number of the first is 1.
    pub entries: Vec<Entry>,
    /// Whether the last line was cut off, and dropped: the run was killed while it wrote.
    pub truncated: bool,
}

impl History {
    /// How many attempts it records, lost ones included.
    pub fn attempts(&self) -> u64 {
        self.entries.iter().filter(|entry| matches!(entry.record, Record::Attempt(_))).count() as u64
    }
}

/// Why a file is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than [`LARGEST_HISTORY`].
    #[error("read {}: it holds {bytes} bytes, more than the limit of {LARGEST_HISTORY}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Written by a newer hookdrill.
    #[error(
        "read {}: it has format version {found}, this hookdrill reads up to version {HISTORY_VERSION}; \
         judge it with the newer one that wrote it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A line that is no record.
    #[error("read {}:{line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// Appends records to a new file, each handed to the system before the next: what was recorded survives a kill.
#[derive(Debug)]
pub struct Writer {
    file: File,
    next: u64,
    redactor: Option<Redactor>,
}

impl Writer {
    /// Makes a new file.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::AlreadyExists`] when there is such a file: a history is never written over.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Self { file, next: 1, redactor: None })
    }

    /// Takes these secrets out of every text before it is written. An app may answer with anything, in a status or the name
    /// of a plan too; what is judged and reported comes from the history alone, so that nothing of it gets any further.
    #[must_use]
    pub fn redacting(self, redactor: Redactor) -> Self {
        Self { redactor: Some(redactor), ..self }
    }

    /// Appends one record and gives its number, from 1.
    ///
    /// # Errors
    /// The system's (disk full, …). After an error the file may end in a part of a line, so the writer must be given up.
    pub fn append(&mut self, at_ms: u64, record: Record) -> io::Result<u64> {
        let n = self.next;
        let entry = Entry { n, at_ms, record };
        let mut line = match &self.redactor {
            None => serde_json::to_vec(&entry),
            Some(redactor) => serde_json::to_value(&entry).and_then(|mut value| {
                redact(&mut value, redactor);
                serde_json::to_vec(&value)
            }),
        }
        .map_err(io::Error::other)?;
        line.push(b'\n');
        // One write without a buffer of our own: the line is in the system's hands when this returns.
        self.file.write_all(&line)?;
        self.next += 1;
        Ok(n)
    }
}

/// Every text, and every key: the names of a contact's properties are the app's too.
fn redact(value: &mut serde_json::Value, redactor: &Redactor) {
    match value {
        serde_json::Value::String(text) => redactor.apply(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| redact(item, redactor)),
        serde_json::Value::Object(fields) => {
            for (mut name, mut field) in std::mem::take(fields) {
                redactor.apply(&mut name);
                redact(&mut field, redactor);
                fields.insert(name, field);
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// Reads a history back. A last line without its end is dropped and noted; any other wrong line is an error.
///
/// # Errors
/// [`HistoryError`], with file and line.
pub fn read(path: &Path) -> Result<History, HistoryError> {
    let unreadable = |source| HistoryError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > LARGEST_HISTORY {
        return Err(HistoryError::TooLarge { path: path.to_owned(), bytes });
    }
    parse(path, &std::fs::read(path).map_err(unreadable)?)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<History, HistoryError> {
    let mut history = History::default();
    let ended = bytes.is_empty() || bytes.ends_with(b"\n");
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines: Vec<&[u8]> = if body.is_empty() { Vec::new() } else { body.split(|byte| *byte == b'\n').collect() };
    for (index, line) in lines.iter().enumerate() {
        let number = index + 1;
        match entry(line, number) {
            Ok(entry) => history.entries.push(entry),
            Err(Wrong::Newer(found)) => return Err(HistoryError::Newer { path: path.to_owned(), found }),
            Err(Wrong::Text(_)) if number == lines.len() && !ended => history.truncated = true,
            Err(Wrong::Text(what)) => return Err(HistoryError::Line { path: path.to_owned(), line: number, what }),
        }
    }
    Ok(history)
}

enum Wrong {
    Newer(u64),
    Text(String),
}

fn entry(line: &[u8], number: usize) -> Result<Entry, Wrong> {
    let text = |what: String| Err(Wrong::Text(what));
    let value: serde_json::Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return text(format!("no JSON object: {}", position_free(&error))),
    };
    // The version comes first: a newer record may have another shape.
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    if let Some(found) = version.filter(|found| number == 1 && *found > u64::from(HISTORY_VERSION)) {
        return Err(Wrong::Newer(found));
    }
    let entry: Entry = match serde_json::from_value(value) {
        Ok(entry) => entry,
        Err(error) => return text(format!("no record: {}", position_free(&error))),
    };
    if entry.n != number as u64 {
        return text(format!("record {} stands where record {number} belongs", entry.n));
    }
    if number == 1 && !matches!(entry.record, Record::Start(_)) {
        return text("the first record of a history is a `start` record".to_owned());
    }
    Ok(entry)
}

/// The parser's words without its own line number, which is always 1 here and would mislead.
fn position_free(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        history::record::{Attempt, Probe, ProcessEvent, RunPhase, Start},
        time::Timestamp,
    };

    fn start() -> Record {
        Record::Start(Start {
            version: HISTORY_VERSION,
            hookdrill: "0.1.0".into(),
            scenario: "s".into(),
            seed: u64::MAX,
            epoch: Timestamp::from_secs(5),
            started: Timestamp::from_secs(6),
            body: "simulated".into(),
            target: "embedded reference service".into(),
            abilities: vec!["crm".into()],
            options: [("time_scale".to_owned(), "1".to_owned())].into(),
        })
    }

    fn attempt() -> Record {
        Record::Attempt(Attempt {
            delivery: "d0001".into(),
            attempt: 1,
            planned_ms: 7,
            late_us: 3,
            dropped: false,
            fault: None,
            faults: Vec::new(),
        })
    }

    #[test]
    fn no_secret_reaches_the_file_whatever_field_it_stands_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.jsonl");
        let redactor = Redactor::new(&["a plain \"secret\""]);
        let mut writer = Writer::create(&path).expect("new").redacting(redactor);
        writer.append(0, start()).expect("written");
        let secret = || Some("so: a plain \"secret\" and whsec_0123456789abcdef".to_owned());
        let probe = Probe {
            instance: "a/1".into(),
            last: true,
            known: Some(true),
            access: Some(true),
            status: secret(),
            plan: secret(),
            values: [("seats".to_owned(), 3)].into(),
            digest: None,
            answer: None,
            error: secret(),
        };
        writer.append(1, Record::Probe(probe)).expect("written");
        writer.append(2, Record::Process { event: ProcessEvent::Died, detail: secret() }).expect("written");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(!text.contains("plain") && !text.contains("0123456789abcdef"), "{text}");
        assert_eq!(text.matches("so: [redacted] and whsec_[redacted]").count(), 4, "{text}");
        assert_eq!(read(&path).expect("reads back").entries.len(), 3);
    }

    fn written() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.jsonl");
        let mut writer = Writer::create(&path).expect("new");
        assert_eq!(writer.append(0, start()).expect("written"), 1);
        assert_eq!(writer.append(1, Record::Phase { phase: RunPhase::Faults }).expect("written"), 2);
        assert_eq!(writer.append(8, attempt()).expect("written"), 3);
        (folder, path)
    }

    #[test]
    fn reads_back_what_was_written_while_the_writer_still_lives() {
        let (_folder, path) = written();
        let history = read(&path).expect("a history");
        assert!(!history.truncated);
        let records: Vec<_> = history.entries.iter().map(|e| (e.n, e.at_ms, e.record.clone())).collect();
        assert_eq!(
            records,
            [(1, 0, start()), (2, 1, Record::Phase { phase: RunPhase::Faults }), (3, 8, attempt())].to_vec()
        );
    }

    #[test]
    fn never_writes_over_a_history() {
        let (_folder, path) = written();
        assert_eq!(Writer::create(&path).expect_err("there is one").kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn drops_a_cut_last_line_at_any_byte_and_notes_it() {
        let (_folder, path) = written();
        let whole = std::fs::read(&path).expect("bytes");
        let second = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(1).expect("two lines").0 + 1;
        for cut in second + 1..whole.len() - 1 {
            let history = parse(&path, &whole[..cut]).expect("tolerant");
            assert_eq!((history.entries.len(), history.truncated), (2, true), "cut at {cut}");
        }
        let unended = parse(&path, &whole[..whole.len() - 1]).expect("only the line end is missing");
        assert_eq!((unended.entries.len(), unended.truncated), (3, false));
        assert_eq!(parse(&path, b"").expect("empty"), History::default());
    }

    #[test]
    fn locates_a_wrong_line_and_refuses_a_newer_version() {
        let (_folder, path) = written();
        let whole = String::from_utf8(std::fs::read(&path).expect("bytes")).expect("text");
        let wrong = |text: &str| {
            let words = parse(&path, text.as_bytes()).expect_err("wrong").to_string();
            words.rsplit("history.jsonl").next().expect("words").to_owned()
        };
        let lines: Vec<&str> = whole.lines().collect();
        assert!(wrong(&format!("{}\n{{\n{}\n", lines[0], lines[2])).starts_with(":2: no JSON object: "));
        assert!(wrong(&format!("{}\n{{}}\n", lines[0])).starts_with(":2: no record: missing field"));
        assert_eq!(wrong(&format!("{}\n{}\n", lines[0], lines[2])), ":2: record 3 stands where record 2 belongs");
        assert_eq!(
            wrong(&format!("{}\n", lines[1].replace("\"n\":2", "\"n\":1"))),
            ":1: the first record of a history is a `start` record"
        );
        let newer = lines[0].replace("\"version\":1", "\"version\":2,\"surprise\":[]");
        assert_eq!(
            wrong(&format!("{newer}\n")),
            ": it has format version 2, this hookdrill reads up to version 1; judge it with the newer one that wrote it"
        );
        assert!(read(Path::new("nowhere/history.jsonl")).expect_err("none").to_string().starts_with("read nowhere"));
    }
}
