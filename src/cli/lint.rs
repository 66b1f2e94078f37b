//! `hookdrill lint`: every error in scenarios and recordings, each with its place. Sends nothing.

use super::{Failure, args::LintArgs, exit::Exit, find, voice::print};
use crate::scenario::load::Criteria;
use std::path::{Path, PathBuf};

/// Validates and prints a line for what is good.
///
/// # Errors
/// [`Failure::Usage`] with all that is wrong.
pub fn lint(args: &LintArgs) -> Result<Exit, Failure> {
    let options = args.recordings.options();
    let paths = if args.paths.is_empty() { everything(&args.recordings.fixtures)? } else { args.paths.clone() };
    let found = find::scenarios(&paths, &args.recordings.fixtures, options, Criteria::Needed)?;
    let scenarios = found.iter().filter(|f| f.text.is_some()).count();
    let text = format!("{scenarios} scenarios and {} recordings are valid\n", found.len() - scenarios);
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Exit::Pass)
}

/// The shipped scenarios and each recording; other files beside the recordings are none of ours.
fn everything(fixtures: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(fixtures).map_err(|error| {
        Failure::Usage(format!(
            "{}: {error}; name what is to be checked, or the folder of recordings with --fixtures",
            fixtures.display()
        ))
    })?;
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.join("story.toml").is_file()).collect();
    paths.sort();
    paths.insert(0, PathBuf::from("scenarios"));
    Ok(paths)
}
