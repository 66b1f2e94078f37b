//! `hookdrill report`: a report of a stored run in one of the formats.

use super::{
    Failure,
    args::{Format, ReportArgs},
    exit::Exit,
    stored::Stored,
    voice::print,
};
use crate::report;

/// Writes the report to standard output.
///
/// # Errors
/// [`Failure::Usage`] when the folder is not that of a run.
pub fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    let stored = Stored::read(&args.run)?;
    let whole = stored.whole(&args.run);
    let broken = |error: &dyn std::fmt::Display| Failure::Broken(error.to_string());
    let text = match args.format {
        Format::Text => report::terminal::table(&whole, report::terminal::Style::default()),
        Format::Junit => report::junit::render(&whole).map_err(|error| broken(&error))?,
        Format::Json => report::json::render(&whole),
        Format::Markdown => report::markdown::render(&whole),
    };
    print(&text).map_err(|error| broken(&error))?;
    Ok(Exit::Pass)
}
