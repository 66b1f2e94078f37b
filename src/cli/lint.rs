//! `hookdrill lint`: every error in scenarios and recordings, each with its place. Sends nothing.

use super::{Failure, args::LintArgs, exit::Exit, find, voice::print};
use crate::stripe::import::ImportOptions;
use std::path::PathBuf;

/// Validates and prints a line for what is good.
///
/// # Errors
/// [`Failure::Usage`] with all that is wrong.
pub fn lint(args: &LintArgs) -> Result<Exit, Failure> {
    let options = ImportOptions { allow_livemode: args.allow_livemode };
    let paths: Vec<PathBuf> = args.paths.iter().map(PathBuf::from).collect();
    let found = find::scenarios(&paths, &args.fixtures, options)?;
    let scenarios = found.iter().filter(|f| f.text.is_some()).count();
    let text = format!("{scenarios} scenarios and {} recordings are valid\n", found.len() - scenarios);
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Exit::Pass)
}
