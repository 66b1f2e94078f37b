//! `hookdrill scrub`: takes personal data out of a recording or an export.
//!
//! Must not know: what is personal.

use super::{
    Failure,
    args::ScrubArgs,
    exit::Exit,
    import::{is_free, next_step, write, written},
    voice::print,
};
use crate::{
    drive::record::rewrite,
    stripe::{
        import::{self, ImportOptions},
        scrub::Scrubber,
    },
};

/// Reads everything first, then writes a new folder; the source stays as it is.
///
/// # Errors
/// [`Failure::Usage`] with every error in the recording, or when the folder exists already.
pub fn scrub(args: &ScrubArgs) -> Result<Exit, Failure> {
    let options = ImportOptions { allow_livemode: args.allow_livemode };
    let recording = import::load(&args.path, options).map_err(|error| Failure::Usage(error.to_string()))?;
    is_free(&args.to)?;
    let mut scrubber = random_scrubber()?;
    let mut scrubbed = rewrite::events(&recording, &mut scrubber);
    let name = args.to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = rewrite::beside(&args.path, &name, &mut scrubber);
    scrubbed.files.extend(beside.map_err(|error| Failure::Usage(format!("{}: {error}", args.path.display())))?);
    write(&args.to, &scrubbed.files)?;
    let text = format!(
        "{}{} personal values exchanged; look the files over before you share them\n{}",
        written(&recording, &args.to),
        scrubbed.changed,
        next_step(&args.to)
    );
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Exit::Pass)
}

/// A scrubber whose key is known to nobody, and gone when it is.
///
/// # Errors
/// [`Failure::Broken`] when the system has no random numbers.
pub(super) fn random_scrubber() -> Result<Scrubber, Failure> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Failure::Broken(format!("no random numbers: {error}")))?;
    Ok(Scrubber::new(key))
}
