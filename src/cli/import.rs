//! `hookdrill import`: turns an export of events into a recording, one file an event, bytes kept.

use super::{Failure, args::ImportArgs, exit::Exit, voice::print};
use crate::stripe::import::{self, ImportOptions};

/// Reads the whole export first, then writes: a broken export leaves nothing behind.
///
/// # Errors
/// [`Failure::Usage`] with every error in the export, or when the folder exists already.
pub fn import(args: &ImportArgs) -> Result<Exit, Failure> {
    let options = ImportOptions { allow_livemode: args.allow_livemode };
    let recording = import::load(&args.from, options).map_err(|error| Failure::Usage(error.to_string()))?;
    if args.to.exists() {
        let what = format!(
            "{} exists already; name a folder that does not, so that nothing is overwritten",
            args.to.display()
        );
        return Err(Failure::Usage(what));
    }
    let broken = |error: std::io::Error| Failure::Broken(format!("cannot write {}: {error}", args.to.display()));
    std::fs::create_dir_all(&args.to).map_err(broken)?;
    for (number, recorded) in recording.events.iter().enumerate() {
        // An event type is a path component here; anything unusual in it must not lead elsewhere.
        let kind: String = recorded
            .event
            .kind
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
            .collect();
        let file = args.to.join(format!("{:03}-{kind}.json", number + 1));
        std::fs::write(file, recorded.event.body.as_bytes()).map_err(broken)?;
    }
    let events = if recording.events.len() == 1 { "event" } else { "events" };
    let text = format!(
        "{} {events} written to {}\nRun them with: hookdrill run {}\n",
        recording.events.len(),
        args.to.display(),
        args.to.display()
    );
    print(&text).map_err(broken)?;
    Ok(Exit::Pass)
}
