//! A recording as files, as it is or scrubbed, with what stands beside its events.
//!
//! Must not know: where the files go.

use super::store::{ABOUT, BESIDE, LOG, event_file};
use crate::stripe::{
    captured::{Line, kept_header},
    recording::Recording,
    scrub::Scrubber,
};
use std::{collections::BTreeSet, fs, io, path::Path};

/// Files of a recording, and how many places in them were exchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Names and texts.
    pub files: Vec<(String, String)>,
    /// Places.
    pub changed: usize,
}

/// The events, a file each, under names of their own.
pub fn as_they_are(recording: &Recording) -> Vec<(String, String)> {
    let names = names(recording);
    names.into_iter().zip(&recording.events).map(|(name, one)| (name, one.event.body.to_string())).collect()
}

/// The events without what is personal. All are read before the first is written: a name in the last is found in the first.
pub fn events(recording: &Recording, scrubber: &mut Scrubber) -> Scrubbed {
    for recorded in &recording.events {
        scrubber.learn(&recorded.event.body);
    }
    let mut scrubbed = Scrubbed::default();
    for (name, recorded) in names(recording).into_iter().zip(&recording.events) {
        let new = scrubber.scrub(&recorded.event.body);
        scrubbed.changed += new.changed;
        scrubbed.files.push((name, new.text));
    }
    scrubbed
}

/// What stands beside the events of the recording at `from`: its story, under a new name, and its deliveries.
///
/// # Errors
/// When a file does not read.
pub fn beside(from: &Path, name: &str, scrubber: &mut Scrubber) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let story = from.join("story.toml");
    if story.is_file() {
        let named = |line: &str| match line.split_once('=') {
            Some((key, _)) if key.trim() == "name" => format!("name = {}", serde_json::Value::from(name)),
            Some(_) | None => scrubber.line(line),
        };
        let text: Vec<String> = fs::read_to_string(story)?.lines().map(named).collect();
        files.push(("story.toml".to_owned(), text.join("\n") + "\n"));
    }
    let log = from.join(BESIDE).join(LOG);
    if log.is_file() {
        deliveries(from, &fs::read_to_string(log)?, scrubber, &mut files)?;
    }
    Ok(files)
}

fn deliveries(from: &Path, log: &str, scrubber: &mut Scrubber, files: &mut Vec<(String, String)>) -> io::Result<()> {
    let (mut text, mut bodies) = (String::new(), BTreeSet::new());
    for line in log.lines() {
        // The last one may have been cut off by a kill.
        let Ok(mut line) = serde_json::from_str::<Line>(line) else { continue };
        if let Line::Delivery(delivery) = &mut line {
            for (name, value) in &mut delivery.headers {
                *value = kept_header(name, value, Some(scrubber));
            }
            match delivery.file.clone() {
                Some(file) if file.starts_with(BESIDE) && is_json(&file) => drop(bodies.insert(file)),
                Some(file) if file.starts_with(BESIDE) => {
                    delivery.file = None;
                    delivery.note =
                        Some("no JSON; what cannot be read cannot be scrubbed, so the body is not kept".to_owned());
                }
                Some(_) | None => {}
            }
        }
        text += &(serde_json::to_string(&line)? + "\n");
    }
    for file in bodies {
        // The name comes from a file that anybody may have written.
        let name = Path::new(&file).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let body = fs::read_to_string(from.join(BESIDE).join(&name))?;
        scrubber.learn(&body);
        files.push((format!("{BESIDE}/{name}"), scrubber.scrub(&body).text));
    }
    files.push((format!("{BESIDE}/{LOG}"), text));
    let about = fs::read_to_string(from.join(BESIDE).join(ABOUT)).unwrap_or_default();
    if let Ok(serde_json::Value::Object(mut about)) = serde_json::from_str(&about) {
        about.insert("scrubbed".to_owned(), true.into());
        files.push((format!("{BESIDE}/{ABOUT}"), format!("{:#}\n", serde_json::Value::Object(about))));
    }
    Ok(())
}

fn is_json(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|ending| ending == "json")
}

/// Names of the events' files: their own in a folder of one event a file, else number and type.
fn names(recording: &Recording) -> Vec<String> {
    let own = |file: &str| is_json(file) && !file.contains(['/', '\\', ':']);
    let distinct: BTreeSet<&str> = recording.events.iter().map(|one| one.file.as_str()).collect();
    if distinct.len() == recording.events.len() && recording.events.len() > 1 && distinct.iter().all(|file| own(file)) {
        return recording.events.iter().map(|one| one.file.clone()).collect();
    }
    let numbered = recording.events.iter().enumerate();
    numbered.map(|(number, one)| event_file(number + 1, &one.event.kind)).collect()
}
