//! Writes a recording while deliveries come in: each event once, its deliveries and their answers beside it. What is
//! written is on the disk when a call returns, and no file is ever half written.
//!
//! ```text
//! DIR/0001-invoice.paid.json     the body of an event, as it came first (scrubbed unless told otherwise)
//! DIR/deliveries/about.json      how the recording was made
//! DIR/deliveries/log.jsonl       deliveries and answers, a line each, in order
//! DIR/deliveries/0007.json       the body of a delivery that is no event, or differs from the first of its event
//! ```
//!
//! Must not know: sockets, clocks.

use crate::stripe::{
    captured::{Answer, Delivery, Line, is_live, kept_header, kept_path},
    event::Event,
    import,
    scrub::Scrubber,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Folder of what stands beside the events.
pub const BESIDE: &str = "deliveries";
/// File of deliveries and answers.
pub const LOG: &str = "log.jsonl";
/// File that says how a recording was made.
pub const ABOUT: &str = "about.json";

/// Most deliveries of one recording: whoever needs more has forgotten it running.
const MOST_DELIVERIES: u64 = 100_000;
/// Most bytes of bodies of one recording.
const MOST_BYTES: usize = 1024 * 1024 * 1024;

/// A recording that is being written.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    log: File,
    scrubber: Option<Scrubber>,
    allow_livemode: bool,
    /// Events by id.
    events: BTreeMap<String, Known>,
    /// Files in which a word stayed that may turn out to be somebody's name.
    loose: BTreeMap<String, BTreeSet<String>>,
    deliveries: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Known {
    file: String,
    attempts: u32,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// When its last byte had come, RFC 3339.
    pub at: String,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: bytes::Bytes,
    /// What is known of its signature.
    pub signature: String,
}

/// Why a delivery was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Of live mode, and that was not allowed.
    #[error("the event is of live mode, with a real customer in it; record in a sandbox, or pass --allow-livemode")]
    Live,
    /// The recording is full.
    #[error("the recording is full ({MOST_DELIVERIES} deliveries or {} MiB); start another one", MOST_BYTES / 1024 / 1024)]
    Full,
    /// The disk.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Recorder {
    /// Starts a recording in a folder that is made for it. `about` says how it is made.
    ///
    /// # Errors
    /// [`RecordError::Io`] when the folder exists or cannot be made.
    pub fn create(
        folder: &Path,
        scrubber: Option<Scrubber>,
        allow_livemode: bool,
        about: &serde_json::Value,
    ) -> Result<Self, RecordError> {
        let beside = folder.join(BESIDE);
        let made = || {
            if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
                fs::create_dir_all(above)?;
            }
            fs::create_dir(folder)?;
            fs::create_dir(&beside)?;
            write_whole(&beside, ABOUT, format!("{about:#}\n").as_bytes())?;
            sync_folder(folder)?;
            File::options().create_new(true).append(true).open(beside.join(LOG))
        };
        let log = made().map_err(|source| RecordError::Io { path: folder.display().to_string(), source })?;
        let (events, loose) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { folder: folder.to_owned(), log, scrubber, allow_livemode, events, loose, deliveries: 0, bytes: 0 })
    }

    /// Takes a delivery down, before it is passed on.
    ///
    /// # Errors
    /// Why it was not taken; nothing of it is on disk then.
    pub fn arrived(&mut self, incoming: &Incoming) -> Result<Delivery, RecordError> {
        let text = std::str::from_utf8(&incoming.body).ok();
        let json = text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        // Text that is no JSON, a body cut off by a proxy for one, may still show where it comes from.
        let says = text.is_some_and(|text| text.replace(char::is_whitespace, "").contains("\"livemode\":true"));
        if !self.allow_livemode && (says || json.as_ref().is_some_and(is_live)) {
            return Err(RecordError::Live);
        }
        if self.deliveries >= MOST_DELIVERIES || self.bytes + incoming.body.len() > MOST_BYTES {
            return Err(RecordError::Full);
        }
        let number = self.deliveries + 1;
        let mut delivery = self.described(number, incoming);
        match (text.map(Event::parse), json.is_some()) {
            (Some(Ok(event)), true) => self.event(&event, &mut delivery)?,
            (_, true) => {
                delivery.note = Some("no Stripe event".to_owned());
                delivery.file = Some(self.beside(number, "json", text.unwrap_or_default())?);
            }
            (_, false) if self.scrubber.is_some() => {
                delivery.note =
                    Some("no JSON; what cannot be read cannot be scrubbed, so the body is not kept".to_owned());
            }
            (_, false) => {
                delivery.note = Some("no JSON".to_owned());
                let name = format!("{number:04}.body");
                write_whole(&self.folder.join(BESIDE), &name, &incoming.body)
                    .map_err(|source| self.failed(&name, source))?;
                delivery.file = Some(format!("{BESIDE}/{name}"));
            }
        }
        self.line(&Line::Delivery(delivery.clone()))?;
        self.deliveries = number;
        self.bytes += incoming.body.len();
        Ok(delivery)
    }

    /// Takes an answer down, before it goes back.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn answered(&mut self, answer: Answer) -> Result<(), RecordError> {
        self.line(&Line::Answer(answer))
    }

    /// How many deliveries there were, and of how many events.
    pub fn counts(&self) -> (u64, usize) {
        (self.deliveries, self.events.len())
    }

    fn described(&mut self, number: u64, incoming: &Incoming) -> Delivery {
        let mut headers = Vec::new();
        for (name, value) in &incoming.headers {
            headers.push((name.clone(), kept_header(name, value, self.scrubber.as_mut())));
        }
        Delivery {
            delivery: number,
            at: incoming.at.clone(),
            event: None,
            kind: None,
            attempt: None,
            file: None,
            note: None,
            bytes: incoming.body.len(),
            signature: incoming.signature.clone(),
            method: incoming.method.clone(),
            path: kept_path(&incoming.path),
            headers,
        }
    }

    fn event(&mut self, event: &Event, delivery: &mut Delivery) -> Result<(), RecordError> {
        let id = event.id.as_str().to_owned();
        delivery.event = Some(id.clone());
        delivery.kind = Some(event.kind.clone());
        if let Some(known) = self.events.get_mut(&id) {
            known.attempts += 1;
            let file = known.file.clone();
            delivery.attempt = Some(known.attempts);
            let first = fs::read_to_string(self.folder.join(&file)).map_err(|source| self.failed(&file, source))?;
            let again = self.scrubbed(&event.body);
            if import::say_the_same(&first, &again.0) {
                delivery.file = Some(file);
            } else {
                delivery.note = Some("another body than that of the event's first delivery".to_owned());
                delivery.file = Some(self.beside(delivery.delivery, "json", &event.body)?);
            }
            return Ok(());
        }
        let file = event_file(self.events.len() + 1, &event.kind);
        let (text, loose, new) = self.scrubbed(&event.body);
        write_whole(&self.folder, &file, text.as_bytes()).map_err(|source| self.failed(&file, source))?;
        self.find_again(&new)?;
        for word in loose {
            self.loose.entry(word).or_default().insert(file.clone());
        }
        delivery.attempt = Some(1);
        delivery.file = Some(file.clone());
        self.events.insert(id, Known { file, attempts: 1 });
        Ok(())
    }

    /// A text as it is kept, the words in it that may turn out to be names, and names that are new.
    fn scrubbed(&mut self, body: &str) -> (String, BTreeSet<String>, BTreeSet<String>) {
        let Some(scrubber) = &mut self.scrubber else { return (body.to_owned(), BTreeSet::new(), BTreeSet::new()) };
        let new = scrubber.learn(body);
        let scrubbed = scrubber.scrub(body);
        (scrubbed.text, scrubbed.loose, new)
    }

    /// A name that has just become known may stand in files that were written before.
    fn find_again(&mut self, words: &BTreeSet<String>) -> Result<(), RecordError> {
        let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for word in words {
            for file in self.loose.remove(word).unwrap_or_default() {
                files.entry(file).or_default().insert(word.clone());
            }
        }
        for (file, words) in files {
            let path = self.folder.join(&file);
            let text = fs::read_to_string(&path).map_err(|source| self.failed(&file, source))?;
            let Some(scrubber) = &mut self.scrubber else { continue };
            let text = scrubber.scrub_words(&text, &words).text;
            write_whole(&self.folder, &file, text.as_bytes()).map_err(|source| self.failed(&file, source))?;
        }
        Ok(())
    }

    fn beside(&mut self, number: u64, ending: &str, body: &str) -> Result<String, RecordError> {
        let name = format!("{number:04}.{ending}");
        let (text, loose, new) = self.scrubbed(body);
        write_whole(&self.folder.join(BESIDE), &name, text.as_bytes()).map_err(|source| self.failed(&name, source))?;
        self.find_again(&new)?;
        let file = format!("{BESIDE}/{name}");
        for word in loose {
            self.loose.entry(word).or_default().insert(file.clone());
        }
        Ok(file)
    }

    fn line(&mut self, line: &Line) -> Result<(), RecordError> {
        let text = serde_json::to_string(line).map_err(|error| self.failed(LOG, error.into()))? + "\n";
        let written = self.log.write_all(text.as_bytes()).and_then(|()| self.log.sync_data());
        written.map_err(|source| self.failed(LOG, source))
    }

    fn failed(&self, file: &str, source: io::Error) -> RecordError {
        RecordError::Io { path: self.folder.join(file).display().to_string(), source }
    }
}

/// Name of an event's file. A type is a path component here; anything unusual in it must not lead elsewhere.
pub fn event_file(number: usize, kind: &str) -> String {
    let kind: String =
        kind.chars().take(80).map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    format!("{number:04}-{kind}.json")
}

/// Writes a file under another name and renames it: whoever looks sees all of it or nothing. `name` may lead into a folder
/// below.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    let folder = path.parent().unwrap_or(folder);
    // Hidden, so that no reader of recordings takes it for an event.
    let unfinished = folder.join(".unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    sync_folder(folder)
}

/// Makes new names in a folder last. Only Unix can, and has to.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
