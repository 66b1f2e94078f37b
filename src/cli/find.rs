//! What the paths on the command line are: scenarios, or recordings and exports around which a scenario is made.
//!
//! Must not know: how anything is run.

use super::{
    Failure,
    gate::NotJudged,
    shipped::{self, Shipped},
};
use crate::{
    plan::model::Plan,
    scenario::{
        criterion::{Bound, Criterion},
        error::nearest,
        load::{self, Criteria},
        model::{Body, DeliveryOptions, Doubles, Quiet, Scenario, Simulation, Spacing, StoryUse},
    },
    stripe::{
        import::{self, ImportOptions},
        recording::Recording,
        retry::RetrySchedule,
    },
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A scenario and the text of its file; recordings have none.
pub(crate) struct Found {
    pub(crate) scenario: Scenario,
    pub(crate) text: Option<String>,
    pub(crate) path: PathBuf,
    /// Whether the file holds further scenarios.
    pub(crate) several: bool,
    /// Whether it was named itself, and not a folder that it lies in.
    pub(crate) named: bool,
    /// Whether all of its criteria must be judged.
    pub(crate) strict: bool,
    /// Criteria that were taken out of it because the target cannot be asked for them.
    pub(crate) not_judged: Vec<NotJudged>,
    /// A saved plan, which is carried out as it is.
    pub(crate) plan: Option<Plan>,
}

/// Reads all that the paths name, and reports everything that is wrong at once.
pub(crate) fn scenarios(
    paths: &[PathBuf],
    fixtures: &Path,
    options: ImportOptions,
    criteria: Criteria,
) -> Result<Vec<Found>, Failure> {
    let shipped = Shipped::needed(paths, fixtures).map_err(|error| {
        Failure::Broken(format!("cannot write the shipped scenarios to a temporary folder: {error}"))
    })?;
    let roots: Vec<PathBuf> =
        [fixtures.to_owned()].into_iter().chain(shipped.as_ref().map(Shipped::fixtures)).collect();
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for path in paths {
        let real = shipped.as_ref().and_then(|shipped| shipped.real(path));
        if real.as_ref().is_some_and(|real| !real.exists()) {
            let names = shipped::scenarios();
            let names: Vec<_> = names.iter().map(|name| name.trim_end_matches(".toml")).collect();
            let typed = path.strip_prefix(shipped::NAME).unwrap_or(path).display().to_string();
            let meant = match nearest(typed.trim_end_matches(".toml"), names.iter().copied()) {
                Some(name) => format!("did you mean {}/{name}?", shipped::NAME),
                None => format!("there are {}", names.join(", ")),
            };
            wrong.push(format!("{} is not among the shipped scenarios; {meant}", path.display()));
            continue;
        }
        match files(real.as_deref().unwrap_or(path)) {
            Ok(files) => {
                for file in files {
                    let named = file == real.as_deref().unwrap_or(path);
                    match one(&file, &roots, options, criteria) {
                        Ok(scenarios) => found.extend(scenarios.into_iter().map(|found| Found {
                            named,
                            // What came with hookdrill nobody wrote for this target.
                            strict: named && real.is_none(),
                            ..found
                        })),
                        Err(what) => wrong.push(what),
                    }
                }
            }
            Err(what) => wrong.push(what),
        }
    }
    // Where they were unpacked to is gone when this returns.
    for found in &mut found {
        if let Some(shown) = shipped.as_ref().and_then(|shipped| shipped.shown(&found.path)) {
            found.path = shown;
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(Failure::Usage(wrong.join("\n"))) }
}

/// Files and recording folders below a path, in name order.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.exists() {
        return Err(format!(
            "{} does not exist; name a scenario (*.toml), a folder of them, or an export of events; `shipped` are those that come with hookdrill",
            path.display()
        ));
    }
    if path.is_file() || path.join("story.toml").is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut scenarios = Vec::new();
    walk(path, &mut scenarios)?;
    scenarios.sort();
    if scenarios.is_empty() { Ok(vec![path.to_owned()]) } else { Ok(scenarios) }
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        if path.is_dir() {
            if path.join("story.toml").is_file() {
                into.push(path);
            } else {
                walk(&path, into)?;
            }
        } else if path.extension().is_some_and(|e| e == "toml") && !is_included(&path) {
            into.push(path);
        }
    }
    Ok(())
}

/// Files of stories that scenarios include are none themselves, wherever they lie.
pub(crate) fn is_included(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".inc.toml"))
}

fn one(path: &Path, fixtures: &[PathBuf], options: ImportOptions, criteria: Criteria) -> Result<Vec<Found>, String> {
    if is_included(path) {
        let what = "holds stories that scenarios take in with `include`, and is no scenario; name one of those";
        return Err(format!("{} {what}", path.display()));
    }
    if path.extension().is_some_and(|e| e == "toml") {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let scenarios = load::load_all(path, fixtures, options, criteria).map_err(|e| e.to_string())?;
        let several = scenarios.len() > 1;
        let found = |scenario| Found {
            scenario,
            text: Some(text.clone()),
            path: path.to_owned(),
            several,
            named: true,
            strict: true,
            not_judged: Vec::new(),
            plan: None,
        };
        return Ok(scenarios.into_iter().map(found).collect());
    }
    let recording = import::load(path, options).map_err(|e| e.to_string())?;
    Ok(vec![Found {
        scenario: around(recording),
        text: None,
        path: path.to_owned(),
        several: false,
        named: true,
        strict: true,
        not_judged: Vec::new(),
        plan: None,
    }])
}

/// The plainest scenario around a recording: every event once, in order, and nothing may be lost.
pub(crate) fn around(recording: Recording) -> Scenario {
    let story = StoryUse {
        name: "story".to_owned(),
        recording: Arc::new(recording),
        instances: 1,
        continues: None,
        same_person_as: None,
        after: Duration::ZERO,
        spacing: Spacing::Every(Duration::from_millis(20)),
        stagger: Duration::ZERO,
    };
    let (name, events) = (story.recording.name.clone(), story.recording.events.len());
    plain(name, format!("{events} recorded events, delivered once and in order."), vec![story])
}

/// What a run of recordings is judged by: nothing may be lost.
pub(crate) fn plain(name: String, about: String, stories: Vec<StoryUse>) -> Scenario {
    let slug: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    Scenario {
        slug: slug.trim_matches('-').to_owned(),
        name,
        about,
        covers: Vec::new(),
        asks_more: None,
        body: Body::Both,
        stories,
        steps: Vec::new(),
        given: Vec::new(),
        faults: Vec::new(),
        delivery: DeliveryOptions {
            retry: RetrySchedule::custom([200, 400, 800, 1600].map(Duration::from_millis).to_vec()),
            timeout: Duration::from_secs(3),
        },
        simulation: Simulation::default(),
        quiet: Quiet { budget: Duration::from_secs(20), least: Duration::ZERO },
        doubles: Doubles::default(),
        declared: Vec::new(),
        criteria: vec![Criterion::EventsLost(Bound::Exactly(0))],
    }
}

/// Whether `pattern`, with `*` for any text, matches all of `text`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|at| matches(after, &rest[at..]))
        }),
    }
}
