//! What a process of the app prints: line by line into a file of the run, without its secrets, the end of it at hand.
//!
//! Must not know: what the lines mean.

use crate::redact::Redactor;
use std::{
    collections::VecDeque,
    fmt,
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader},
    process::{ChildStderr, ChildStdout},
};

/// A longer line is cut in pieces.
const LINE: usize = 64 * 1024;
/// More is read, so that the process never waits, but not kept.
const KEPT: usize = 16 * 1024 * 1024;
/// Lines that are at hand for a message.
const TAIL: usize = 8;
/// Bytes of a line in a message.
const TAIL_LINE: usize = 300;

/// The output of one process, over all its lives.
#[derive(Clone)]
pub struct Output {
    kept: Arc<Mutex<Kept>>,
    redactor: Redactor,
}

struct Kept {
    file: File,
    bytes: usize,
    tail: VecDeque<String>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output(…)")
    }
}

impl Output {
    /// Into that file, which is made.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn to(path: &Path, redactor: Redactor) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { kept: Arc::new(Mutex::new(Kept { file, bytes: 0, tail: VecDeque::new() })), redactor })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was done to the process, between its lines.
    pub(super) fn note(&self, what: &str) {
        // A full disk is noticed by the history, which is judged; this is not.
        drop(writeln!(self.kept().file, "[hookdrill] {what}"));
    }

    /// Reads on until nobody can write any more.
    pub(super) fn take(&self, stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) {
        if let Some(stdout) = stdout {
            self.follow(stdout);
        }
        if let Some(stderr) = stderr {
            self.follow(stderr);
        }
    }

    fn follow(&self, from: impl AsyncRead + Unpin + Send + 'static) {
        let output = self.clone();
        tokio::spawn(async move {
            let mut from = BufReader::new(from);
            while let Some(line) = line(&mut from).await {
                output.line(&String::from_utf8_lossy(&line));
            }
        });
    }

    fn line(&self, line: &str) {
        let clean = self.redactor.text(line.trim_end_matches(['\n', '\r']));
        let mut kept = self.kept();
        let before = kept.bytes;
        kept.bytes += clean.len() + 1;
        // As above.
        if kept.bytes <= KEPT {
            drop(writeln!(kept.file, "{clean}"));
        } else if before <= KEPT {
            drop(writeln!(kept.file, "[hookdrill] the rest is not kept: more than {} MiB", KEPT >> 20));
        }
        if clean.trim().is_empty() {
            return;
        }
        if kept.tail.len() == TAIL {
            kept.tail.pop_front();
        }
        kept.tail.push_back(clean[..clean.floor_char_boundary(TAIL_LINE)].trim().to_owned());
    }

    /// The end of it, in one line.
    pub(super) fn said(&self) -> String {
        let kept = self.kept();
        let lines: Vec<&str> = kept.tail.iter().map(String::as_str).collect();
        if lines.is_empty() { "nothing".to_owned() } else { lines.join(" / ") }
    }
}

/// The next line, or the first part of a very long one; none at the end.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let ready = from.fill_buf().await.ok()?;
        if ready.is_empty() {
            return (!line.is_empty()).then_some(line);
        }
        let end = ready.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let take = end.unwrap_or(ready.len()).min(LINE - line.len());
        line.extend_from_slice(&ready[..take]);
        let whole = end.is_some_and(|end| end == take) || line.len() >= LINE;
        from.consume(take);
        if whole {
            return Some(line);
        }
    }
}
