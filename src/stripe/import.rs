//! STAND-IN of the scenario branch, only so that it compiles and its tests run: take the stripe branch's file.

use super::{
    event::Event,
    recording::{RecordedEvent, Recording},
};
use std::path::Path;

/// Stand-in.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Stand-in.
    pub allow_livemode: bool,
}

/// Stand-in.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ImportErrors(String);

/// Stand-in.
pub fn load(path: &Path, _options: ImportOptions) -> Result<Recording, ImportErrors> {
    let wrong = |error: &dyn std::fmt::Display| ImportErrors(format!("read {}: {error}", path.display()));
    let mut files: Vec<_> = std::fs::read_dir(path)
        .map_err(|error| wrong(&error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| file.extension().is_some_and(|ext| ext == "json"))
        .collect();
    files.sort();
    let mut events = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(&error))?;
        let event = Event::parse(&text).map_err(|error| wrong(&error))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        events.push(RecordedEvent { file: name, event });
    }
    let story = match std::fs::read_to_string(path.join("story.toml")) {
        Ok(text) => Some(toml::from_str(&text).map_err(|error| wrong(&error))?),
        Err(_) => None,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Recording { name, events, story })
}
