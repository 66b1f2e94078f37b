//! `hookdrill import`: turns an export of events into a recording, one file an event, bytes kept.

use super::{Failure, args::ImportArgs, exit::Exit, scrub::random_scrubber, voice::print};
use crate::{
    drive::record::rewrite,
    stripe::{
        import::{self, ImportOptions},
        recording::Recording,
    },
};
use std::path::Path;

/// Reads the whole export first, then writes: a broken export leaves nothing behind.
///
/// # Errors
/// [`Failure::Usage`] with every error in the export, or when the folder exists already.
pub fn import(args: &ImportArgs) -> Result<Exit, Failure> {
    let options = ImportOptions { allow_livemode: args.allow_livemode };
    let recording = import::load(&args.from, options).map_err(|error| Failure::Usage(error.to_string()))?;
    is_free(&args.to)?;
    let scrubbed = rewrite::events(&recording, &mut random_scrubber()?);
    let files = if args.scrub { scrubbed.files } else { rewrite::as_they_are(&recording) };
    write(&args.to, &files)?;
    let note = match (args.scrub, scrubbed.changed) {
        (true, changed) => format!("{changed} personal values exchanged; look the files over before you share them\n"),
        (false, 0) => String::new(),
        (false, found) => format!("{found} places look like personal data and are kept; --scrub exchanges them\n"),
    };
    let text = format!("{}{note}{}", written(&recording, &args.to), next_step(&args.to));
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Exit::Pass)
}

/// A folder that does not exist yet.
///
/// # Errors
/// [`Failure::Usage`] when it does.
pub(super) fn is_free(folder: &Path) -> Result<(), Failure> {
    if !folder.exists() {
        return Ok(());
    }
    let what =
        format!("{} exists already; name a folder that does not, so that nothing is overwritten", folder.display());
    Err(Failure::Usage(what))
}

/// Writes the files of a recording; names may lead into folders below.
pub(super) fn write(folder: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    let broken = |error: std::io::Error| Failure::Broken(format!("cannot write {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(broken)?;
    for (name, text) in files {
        let file = folder.join(name);
        if let Some(above) = file.parent() {
            std::fs::create_dir_all(above).map_err(broken)?;
        }
        std::fs::write(file, text).map_err(broken)?;
    }
    Ok(())
}

pub(super) fn written(recording: &Recording, folder: &Path) -> String {
    let events = if recording.events.len() == 1 { "event" } else { "events" };
    format!("{} {events} written to {}\n", recording.events.len(), folder.display())
}

pub(super) fn next_step(folder: &Path) -> String {
    format!("Run them with: hookdrill run {}\n", folder.display())
}
