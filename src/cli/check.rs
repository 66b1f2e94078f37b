//! `hookdrill check`: judges a stored run again, without running it.

use super::{Failure, args::CheckArgs, exit::Exit, stored::Stored, voice::print};
use crate::{check::verdict::Validity, report};

/// Judges and prints.
///
/// # Errors
/// [`Failure::Usage`] when the folder is not that of a run.
pub fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let stored = Stored::read(&args.run)?;
    let whole = stored.whole(&args.run);
    let report = &whole.scenarios[0];
    let broken = |error: &dyn std::fmt::Display| Failure::Broken(error.to_string());
    let text = match (&report.verdicts, args.json) {
        (Some(verdicts), true) => serde_json::to_string_pretty(verdicts).map_err(|error| broken(&error))? + "\n",
        _ => report::terminal::table(&whole, report::terminal::Style::default()),
    };
    print(&text).map_err(|error| broken(&error))?;
    Ok(match report.verdicts.as_ref().map_or(Validity::Inconclusive, |v| v.validity()) {
        Validity::Pass => Exit::Pass,
        Validity::Inconclusive => Exit::Inconclusive,
        Validity::Fail => Exit::Fail,
    })
}
