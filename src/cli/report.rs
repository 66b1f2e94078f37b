//! `hookdrill report`: a report of a stored run in one of the formats.

use super::{
    Failure,
    args::{Format, ReportArgs},
    exit::Exit,
    stored::Stored,
    voice::print,
};
use crate::{
    history::record::Record,
    report::{self, RunReport},
    time::Timestamp,
};

/// Writes the report to standard output.
///
/// # Errors
/// [`Failure::Usage`] when the folder is not that of a run.
pub fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    let stored = Stored::read(&args.run, &args.fixtures)?;
    let start = stored.history.entries.iter().find_map(|e| match &e.record {
        Record::Start(start) => Some((start.started, start.target.clone())),
        _ => None,
    });
    let (started, target) = start.unwrap_or((Timestamp::default(), "unknown".to_owned()));
    let whole = RunReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        target,
        scenarios: vec![stored.report(&args.run)],
    };
    let broken = |error: &dyn std::fmt::Display| Failure::Broken(error.to_string());
    let text = match args.format {
        Format::Text => report::terminal::closing(&whole, false, false),
        Format::Junit => report::junit::write(&whole.scenarios, started).map_err(|error| broken(&error))?,
        Format::Json => report::json::write(&whole).map_err(|error| broken(&error))? + "\n",
        Format::Markdown => report::markdown::write(&whole),
    };
    print(&text).map_err(|error| broken(&error))?;
    Ok(Exit::Pass)
}
