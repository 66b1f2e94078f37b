//! A scenario as judging needs it: its words and its criteria, without recordings.
//!
//! A run folder is judged where its recordings may be gone or others by now; plan and history hold what was sent.
//! Must not know: stories, steps, faults, files.

use super::{
    criterion::Criterion,
    error::{ScenarioErrorKind as Kind, ScenarioErrors},
    load::{read_covers, read_said, read_version, some_entries},
    raw::{Fields, Mistakes},
    read_criteria::read_criterion,
};
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// What of a scenario outlives its run.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredScenario {
    /// Short name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// The promises that it covers, in words.
    pub covers: Vec<String>,
    /// What must hold, in file order.
    pub criteria: Vec<Criterion>,
}

/// Reads the criteria of a scenario that has been run; `path` names it in messages.
///
/// # Errors
/// Every mistake in what judging needs, each with its place.
pub fn parse_stored(text: &str, path: &Path) -> Result<StoredScenario, ScenarioErrors> {
    let mut mistakes = Mistakes::default();
    let (document, syntax) = DeTable::parse_recoverable(text);
    if let Some(error) = syntax.first() {
        let span = error.span().unwrap_or(0..0);
        mistakes.add(&span, Kind::Syntax, format!("not TOML: {}", error.message().replace('\n', ", ")));
    }
    let scenario = if syntax.is_empty() { read(document.get_ref(), &mut mistakes) } else { None };
    match scenario {
        Some(scenario) if mistakes.is_empty() => Ok(scenario),
        _ => Err(mistakes.located(text, path)),
    }
}

fn read<'t>(document: &'t DeTable<'t>, mistakes: &mut Mistakes) -> Option<StoredScenario> {
    let mut root = Fields::new("the scenario", 0..0, document);
    if !read_version(&mut root, mistakes) {
        return None;
    }
    let name = read_said(&mut root, "name", mistakes);
    let about = read_said(&mut root, "about", mistakes);
    let covers = read_covers(&mut root, mistakes);
    let message = "there is no [[criterion]]: nothing would be shown";
    let help = "add a [[criterion]], like events_lost = { exactly = 0 }";
    let criteria: Vec<&toml::Spanned<DeValue<'t>>> =
        some_entries(&mut root, "criterion", (Kind::NoCriteria, message, help), mistakes);
    let criteria = criteria.into_iter().filter_map(|entry| read_criterion(entry, mistakes)).map(|at| at.value);
    let criteria = criteria.collect();
    Some(StoredScenario { name: name?, about: about?, covers, criteria })
}
