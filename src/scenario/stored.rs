//! A scenario as judging needs it: its words and its criteria, without recordings.
//!
//! A run folder is judged where its recordings may be gone or others by now; plan and history hold what was sent.
//! Must not know: stories, steps, faults, files.

use super::{
    criterion::Criterion,
    document,
    error::{ScenarioErrorKind as Kind, ScenarioErrors},
    load::{entries, read_covers, read_said, read_version},
    raw::{Fields, Mistakes},
    read_criteria::read_criterion,
};
use std::path::Path;
use toml::de::DeTable;

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

/// Reads the criteria of the scenario `name` that has been run; `path` names it in messages. Of a file with a `[matrix]` it
/// is the combination of that name; of another file whatever it holds, for the caller to compare.
///
/// # Errors
/// Every mistake in what judging needs, each with its place.
pub fn parse_stored(text: &str, path: &Path, name: &str) -> Result<StoredScenario, ScenarioErrors> {
    let mut all = document::read_all(text, path, None, &mut |combination, document, mistakes| {
        let stored = read(document, mistakes)?;
        Some(StoredScenario { name: combination.name(&stored.name), ..stored })
    })?;
    let wanted = all.iter().position(|stored| stored.name == name).unwrap_or(0);
    match all.is_empty() {
        true => Err(ScenarioErrors::whole_file(path, Kind::NoCriteria, "the file holds no scenario")),
        false => Ok(all.swap_remove(wanted)),
    }
}

fn read(document: &DeTable<'_>, mistakes: &mut Mistakes) -> Option<StoredScenario> {
    let mut root = Fields::new("the scenario", 0..0, document);
    if !read_version(&mut root, mistakes) {
        return None;
    }
    let name = read_said(&mut root, "name", mistakes);
    let about = read_said(&mut root, "about", mistakes);
    let covers = read_covers(&mut root, mistakes);
    // A run that was compared with a clean delivery may have none.
    let criteria = entries(&mut root, "criterion", mistakes);
    let criteria = criteria.into_iter().filter_map(|entry| read_criterion(entry, mistakes)).map(|at| at.value);
    let criteria = criteria.collect();
    Some(StoredScenario { name: name?, about: about?, covers, criteria })
}
