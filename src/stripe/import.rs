//! Reads recordings in the forms in which people have them. The body of each event is the exact slice of the source:
//! nothing is parsed and written again, for the signature covers bytes.
//!
//! | what | example |
//! |---|---|
//! | a story: a folder with `story.toml` | the shipped `fixtures/` |
//! | a folder of `*.json`, `*.jsonl`, `*.ndjson`, in name order | saved bodies |
//! | one event, several one after another, JSON lines, an array | a body copied from the Dashboard, an old log |
//! | the answer of `GET /v1/events`, newest first | `stripe events list` |
//! | `stripe listen --format JSON`, status text and colour included | a redirected terminal |
//! | captures, exports and envelopes of other tools, alone or in lists | n8n, Braze, HAR, Hookdeck, EventBridge, Event Grid |
//!
//! One bad place refuses the whole recording, and as many bad places as possible are named at once.
//! Must not know: plans, targets, sockets. It reads files and nothing else.

mod cut;
mod envelope;
pub mod error;
mod shape;
mod story;
mod values;

pub use error::{ImportError, ImportErrors};

use super::recording::{RecordedEvent, Recording};
use error::{Errors, Place};
use serde_json::Value;
use shape::Located;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Largest file that is read. A Stripe body has a few kilobytes; a year's export of a busy shop stays below.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Endings of the files that a folder is searched for.
const ENDINGS: [&str; 3] = ["json", "jsonl", "ndjson"];

/// What may be loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Accept events of live mode. Off by default: such a recording holds real customers, and replaying it at an app
    /// that talks to live mode acts on them.
    pub allow_livemode: bool,
}

/// Loads the recording at `path`: a folder or a file, see the table above.
///
/// # Errors
/// Every bad place that was found; nothing is loaded then.
pub fn load(path: &Path, options: ImportOptions) -> Result<Recording, ImportErrors> {
    let shown = path.display().to_string();
    let mut errors = Errors::default();
    let story_file = path.join("story.toml");
    let (files, prefix) = match fs::metadata(path) {
        Ok(found) if found.is_dir() => (event_files(path, &shown, &mut errors), Some(shown)),
        Ok(_) => (vec![path.to_owned()], None),
        Err(error) => {
            errors.push_file(&shown, format!("{error}; give a folder or a file with Stripe events"));
            (Vec::new(), None)
        }
    };
    let is_story = prefix.is_some() && story_file.is_file();
    let mut located = Vec::new();
    for file in &files {
        if errors.is_full() {
            break;
        }
        let shown = file.display().to_string();
        if let Some(text) = read_text(file, &shown, &mut errors) {
            let found = shape::read(&shown, &file_name(file), &text, options, &mut errors);
            if is_story && found.len() > 1 {
                errors.push_file(&shown, "a story has one event in each file; split it".to_owned());
            }
            located.extend(found);
        }
    }
    let events = without_repeats(located, is_story, &mut errors);
    let name = recording_name(path);
    let story = match is_story {
        true => read_text(&story_file, &story_file.display().to_string(), &mut errors)
            .and_then(|text| story::read(&story_file.display().to_string(), &text, &name, &events, &mut errors)),
        false => None,
    };
    errors.into_result(Recording { name, events, story })
}

/// Reads the events of one text, in order. `name` stands in messages and in [`RecordedEvent::file`].
///
/// # Errors
/// Every bad place that was found; also when there is no event at all.
pub fn from_text(name: &str, text: &str, options: ImportOptions) -> Result<Vec<RecordedEvent>, ImportErrors> {
    let mut errors = Errors::default();
    let located = shape::read(name, name, text, options, &mut errors);
    let events = without_repeats(located, false, &mut errors);
    errors.into_result(events)
}

fn event_files(folder: &Path, shown: &str, errors: &mut Errors) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).filter(|path| is_event_file(path)).collect(),
        Err(error) => {
            errors.push_file(shown, error.to_string());
            return Vec::new();
        }
    };
    if files.is_empty() {
        errors.push_file(shown, "no *.json, *.jsonl or *.ndjson file in this folder".to_owned());
    }
    files.sort();
    files
}

fn is_event_file(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    !file_name(path).starts_with('.') && ENDINGS.contains(&ending) && path.is_file()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The folder's name, or the file's without its ending.
fn recording_name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if whole.is_dir() { whole.file_name() } else { whole.file_stem() };
    name.unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The file's text. A byte order mark in front, which Windows editors leave, is no part of any body and is dropped.
fn read_text(path: &Path, shown: &str, errors: &mut Errors) -> Option<String> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        errors.push_file(shown, error.to_string());
        return None;
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        errors.push_file(shown, format!("larger than {} MiB; split it", MAX_FILE_BYTES / 1024 / 1024));
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
            let what = "not UTF-8; Stripe's bodies are, so convert the file (a UTF-16 export?) or take the raw body";
            errors.push(shown, Place::of(&before, before.len()), what.to_owned());
            None
        }
    }
}

/// Keeps the first of several deliveries of one event. Two bodies under one id are an error: which one is meant?
fn without_repeats(located: Vec<Located>, is_story: bool, errors: &mut Errors) -> Vec<RecordedEvent> {
    let mut kept: Vec<RecordedEvent> = Vec::new();
    let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
    for Located { recorded, shown, place } in located {
        let id = recorded.event.id.as_str().to_owned();
        let Some(&first) = by_id.get(&id) else {
            by_id.insert(id, kept.len());
            kept.push(recorded);
            continue;
        };
        let earlier = &kept[first];
        if is_story {
            let what = format!("event {id} is already in {}; a story names each event once", earlier.file);
            errors.push(&shown, place, what);
        } else if !say_the_same(&earlier.event.body, &recorded.event.body) {
            let what = format!(
                "event {id} is already in {} with another body; keep one of them, or give each an id of its own",
                earlier.file
            );
            errors.push(&shown, place, what);
        }
    }
    kept
}

/// Whether two bodies are deliveries of one event.
pub fn say_the_same(one: &str, other: &str) -> bool {
    essence(one) == essence(other)
}

/// The body without what differs between two deliveries of one event: `pending_webhooks` counts the endpoints that
/// have not answered yet, and formatting is the exporter's.
fn essence(body: &str) -> Value {
    let mut value: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(envelope) = value.as_object_mut() {
        envelope.remove("pending_webhooks");
    }
    value
}
