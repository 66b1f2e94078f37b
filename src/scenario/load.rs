//! Scenario file to [`Scenario`]: the head of the file, and all its tables in turn; every mistake of a file at once.
//!
//! [`parse`] is pure; [`load`] reads the file and the recordings. Must not know: plans, targets, sockets, clocks.

use super::{
    checks::{self, Parts},
    classes::CLASSES,
    criterion::Criterion,
    document::{self, Includes},
    error::{ScenarioErrorKind as Kind, ScenarioErrors, suggest},
    fault::{Fault, FaultKind},
    model::{Body, DeliveryOptions, Doubles, GivenContact, Quiet, Scenario, Simulation, Step, StoryUse},
    raw::{At, Fields, Mistakes, array, count, duration, fields, text, wrong_type},
    read_criteria::read_criterion,
    read_doubles::read_declared,
    read_faults::read_fault,
    read_gates,
    read_steps::{read_given, read_step},
    read_stories::{Recordings, Stories},
    shape::{self, Shape, Table, Tie},
};
use crate::{
    id::DoubleName,
    stripe::{
        import::{self, ImportOptions},
        recording::Recording,
        retry::RetrySchedule,
    },
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What a scenario file may hold, as the readers ask for it.
pub(super) fn asked() -> Option<Table> {
    shape::ask(&mut |document| {
        let mut mistakes = Mistakes::default();
        // A file of one key is no scenario: what is asked is what counts.
        let none = &mut |_: &str| Err("there are no recordings here".to_owned());
        let _ = read(document, none, Criteria::Needed, &mut mistakes);
        mistakes.asked()
    })
}

/// Version of scenario files.
pub const SCENARIO_VERSION: u64 = 1;

/// Default waits between attempts: short, for a live run; Stripe's own schedules take hours and are for simulated ones.
const DEFAULT_RETRY_MS: [u64; 4] = [200, 400, 800, 1600];

/// Default for when an attempt without an answer is indefinite. Stripe publishes no figure; with this one all attempts of the
/// default schedule end within the default quiet budget, so that an endpoint that hangs is told from a run that was too short.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// Default budget of the quiet phase.
const DEFAULT_QUIET: Duration = Duration::from_secs(20);

/// Names of the schedules that [`RetrySchedule::named`] knows.
const SCHEDULES: &[&str] = &["stripe-live", "stripe-sandbox", "stripe-cli"];

/// Most waits of a schedule: Stripe's own has 16 or so in three days.
const MAX_WAITS: usize = 100;

/// Largest scenario file that is read: the shipped ones have two kilobytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Whether a scenario must say what it is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criteria {
    /// A scenario without any would show nothing.
    Needed,
    /// It is compared with a clean delivery anyway, or only looked at.
    Optional,
}

/// Where a scenario gets what it names.
pub struct Sources<'a> {
    /// The recording of a name, or why there is none (further lines of the text are shown as help).
    pub recordings: &'a mut dyn FnMut(&str) -> Result<Arc<Recording>, String>,
    /// The text of an included file, or why there is none.
    pub includes: Includes<'a>,
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources(…)")
    }
}

/// Reads the scenarios of `text`: one, or one for each combination of its `[matrix]`. `path` names it in messages and
/// gives the slug.
///
/// # Errors
/// Every mistake in the file, each with its place; only the first one when the file is not TOML.
pub fn parse_all(
    text: &str,
    path: &Path,
    sources: Sources<'_>,
    criteria: Criteria,
) -> Result<Vec<Scenario>, ScenarioErrors> {
    let Sources { recordings, includes } = sources;
    document::read_all(text, path, Some(includes), &mut |combination, document, mistakes| {
        let scenario = read(document, recordings, criteria, mistakes)?;
        let slug = slug(&combination.slug(&stem(path)));
        Some(Scenario { name: combination.name(&scenario.name), slug, ..scenario })
    })
}

/// Reads the first scenario of `text`, which includes nothing: see [`parse_all`].
///
/// # Errors
/// As [`parse_all`].
pub fn parse(
    text: &str,
    path: &Path,
    recordings: &mut dyn FnMut(&str) -> Result<Arc<Recording>, String>,
) -> Result<Scenario, ScenarioErrors> {
    let includes = &mut |name: &str| Err(format!("there is no file `{name}`"));
    let scenarios = parse_all(text, path, Sources { recordings, includes }, Criteria::Needed)?;
    first(scenarios, path)
}

fn first(scenarios: Vec<Scenario>, path: &Path) -> Result<Scenario, ScenarioErrors> {
    let none = || ScenarioErrors::whole_file(path, Kind::NoStories, "the file holds no scenario");
    scenarios.into_iter().next().ok_or_else(none)
}

/// Reads the scenarios of a file with their recordings and included files. A recording is looked up by name under each of
/// the `fixtures` folders, then as a path relative to the scenario file; an included file is a path relative to it.
///
/// # Errors
/// Every mistake in the file, each with its place; one without a place when the file cannot be read.
pub fn load_all(
    path: &Path,
    fixtures: &[PathBuf],
    options: ImportOptions,
    criteria: Criteria,
) -> Result<Vec<Scenario>, ScenarioErrors> {
    let unreadable = |why: String| ScenarioErrors::whole_file(path, Kind::Unreadable, why);
    let text = read_text(path).map_err(unreadable)?;
    let mut loaded: BTreeMap<String, Result<Arc<Recording>, String>> = BTreeMap::new();
    let recordings = &mut |name: &str| {
        loaded.entry(name.to_owned()).or_insert_with(|| find_recording(name, path, fixtures, options)).clone()
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let includes = &mut |name: &str| read_text(&folder.join(name)).map_err(|why| format!("`{name}`: {why}"));
    parse_all(&text, path, Sources { recordings, includes }, criteria)
}

/// Reads the first scenario of a file: see [`load_all`].
///
/// # Errors
/// As [`load_all`].
pub fn load(path: &Path, fixtures: &[PathBuf], options: ImportOptions) -> Result<Scenario, ScenarioErrors> {
    first(load_all(path, fixtures, options, Criteria::Needed)?, path)
}

fn read_text(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| format!("cannot read the file: {error}"))?.len();
    if length > MAX_FILE_BYTES {
        return Err(format!("the file has {length} bytes, more than {MAX_FILE_BYTES}"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read the file: {error}"))?;
    String::from_utf8(bytes)
        .map_err(|error| format!("the file is not UTF-8 (at byte {})", error.utf8_error().valid_up_to()))
}

fn find_recording(
    name: &str,
    scenario: &Path,
    fixtures: &[PathBuf],
    options: ImportOptions,
) -> Result<Arc<Recording>, String> {
    if name.is_empty() {
        return Err("the name of a recording is empty".to_owned());
    }
    let beside = scenario.parent().unwrap_or(Path::new("")).join(name);
    let places = fixtures.iter().map(|folder| folder.join(name)).chain([beside]);
    let Some(found) = places.into_iter().find(|place| place.exists()) else {
        let mut names: Vec<String> = fixtures.iter().flat_map(|folder| recordings_in(folder)).collect();
        names.sort();
        names.dedup();
        let help = suggest(name, &names.iter().map(String::as_str).collect::<Vec<_>>());
        return Err(format!("there is no recording `{name}`, nor a path of that name beside the scenario\n{help}"));
    };
    import::load(&found, options)
        .map(Arc::new)
        .map_err(|errors| format!("the recording `{name}` cannot be used\n{errors}"))
}

/// Names of the recordings in a folder: folders with an event in them.
fn recordings_in(folder: &Path) -> Vec<String> {
    let is_json = |path: PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let has_event = |path: &Path| paths_in(path).into_iter().any(is_json);
    paths_in(folder)
        .iter()
        .filter(|path| has_event(path))
        .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .collect()
}

/// What a folder holds; nothing when it cannot be read, for this is only about suggestions.
fn paths_in(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn read(
    document: &DeTable<'_>,
    recordings: Recordings<'_>,
    criteria: Criteria,
    mistakes: &mut Mistakes,
) -> Option<Scenario> {
    let mut root = Fields::new("the scenario", 0..0, document);
    if !read_version(&mut root, mistakes) {
        return None;
    }
    // Taken out before the rest is read: see `document`.
    root.get_as("include", Shape::array(Shape::Said));
    root.get_as("matrix", Shape::Named(Box::new(Shape::Array { of: Box::new(Shape::Scalar), least: 1, most: None })));
    let name = read_said(&mut root, "name", mistakes);
    let about = read_said(&mut root, "about", mistakes);
    let covers = read_covers(&mut root, mistakes);
    let bodies = Shape::Either(vec![Shape::Words(BODIES.to_vec()), Shape::Inner]);
    let body = root.get_as("body", bodies).map_or(Some(Body::Both), |value| read_body(value, mistakes));
    let asks_more = root.get_as("asks_more", Shape::Said);
    let asks_more = asks_more.and_then(|value| said(&text(value, "`asks_more`", mistakes)?, "asks_more", mistakes));
    let delivery = read_delivery(&mut root, mistakes);
    let quiet = read_quiet(&mut root, mistakes);
    let simulation = read_simulation(&mut root, mistakes);
    let (doubles, declared) = read_doubles(&mut root, mistakes);
    let tables = Tables::read(&mut root, recordings, &declared, criteria, mistakes);
    only_simulated(body.as_ref(), &tables.faults, mistakes);
    read_gates::only_live(body.as_ref(), &tables.criteria, mistakes);
    root.close(mistakes);
    let stories = tables.check(&delivery, (doubles, &declared), mistakes);
    Some(Scenario {
        name: name?,
        slug: String::new(),
        about: about?,
        covers,
        body: body?,
        asks_more,
        stories: stories?,
        steps: tables.steps.into_iter().map(|at| at.value).collect(),
        given: tables.given,
        faults: tables.faults.into_iter().map(|at| at.value).collect(),
        delivery,
        quiet,
        doubles,
        declared,
        simulation,
        criteria: tables.criteria.into_iter().map(|at| at.value).collect(),
    })
}

/// Another version may mean anything by its keys: nothing else is looked at then.
pub(super) fn read_version(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> bool {
    let versions = Shape::Numbers(vec![SCENARIO_VERSION]);
    let Some(value) = root.need_as("version", versions, mistakes) else { return true };
    let number = value.get_ref().as_integer().map(|number| number.as_str().to_owned());
    if number.as_deref() == Some("1") {
        return true;
    }
    let message = format!("`version` is not one that this build of hookdrill reads ({SCENARIO_VERSION})");
    mistakes.add_help(&value.span(), Kind::Version, message, "write version = 1");
    false
}

pub(super) fn read_said(root: &mut Fields<'_>, key: &'static str, mistakes: &mut Mistakes) -> Option<String> {
    let typed = root.need_text_as(key, Shape::Said, mistakes)?;
    said(&typed, key, mistakes)
}

fn said(typed: &At<&str>, key: &str, mistakes: &mut Mistakes) -> Option<String> {
    if typed.value.trim().is_empty() {
        mistakes.add(&typed.span, Kind::EmptyText, format!("`{key}` is empty"));
        return None;
    }
    Some(typed.value.trim().to_owned())
}

pub(super) fn read_covers(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> Vec<String> {
    let classes = Shape::Numbers(CLASSES.iter().map(|(number, _)| u64::from(*number)).collect());
    let entry = Shape::Either(vec![classes, Shape::Said]);
    let Some(value) = root.get_as("covers", Shape::array(entry)) else { return Vec::new() };
    let mut covers = Vec::new();
    for item in array(value, "`covers`", mistakes) {
        if item.get_ref().is_integer() {
            covers.extend(read_class(item, mistakes));
        } else if let Some(typed) = text(item, "an entry of `covers`", mistakes) {
            covers.extend(said(&typed, "covers", mistakes));
        }
    }
    covers
}

/// A known bug class by its number.
fn read_class(item: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<String> {
    let number = count(item, "a bug class", 0..u64::MAX, mistakes)?;
    let class = CLASSES.iter().find(|(known, _)| u64::from(*known) == number.value);
    if class.is_none() {
        let near = CLASSES.iter().map(|(known, _)| *known).min_by_key(|known| u64::from(*known).abs_diff(number.value));
        let last = CLASSES.last().map_or(0, |(known, _)| *known);
        let message = format!("there is no bug class {}", number.value);
        let help = format!("did you mean {}?\nthey are numbered to {last}, with gaps", near.unwrap_or(last));
        mistakes.add_help(&number.span, Kind::UnknownClass, message, help);
    }
    class.map(|(number, what)| format!("bug class {number}: {what}"))
}

/// Where a scenario may run, in one word.
const BODIES: &[&str] = &["both", "simulated"];

fn read_body(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<Body> {
    if value.get_ref().is_table() {
        let mut fields = fields(value, "`body`", mistakes)?;
        let reason = fields.need_text_as("live", Shape::Said, mistakes);
        fields.close(mistakes);
        return said(&reason?, "live", mistakes).map(|reason| Body::Live { reason });
    }
    let typed = text(value, "`body`", mistakes)?;
    match typed.value {
        "both" => Some(Body::Both),
        "simulated" => Some(Body::Simulated),
        "live" => {
            let message = "a scenario that can only run live says why";
            let help = "body = { live = \"what cannot be simulated\" }";
            mistakes.add_help(&typed.span, Kind::UnknownWord, message, help);
            None
        }
        other => {
            let help = suggest(other, BODIES) + "\nor body = { live = \"reason\" }";
            mistakes.add_help(&typed.span, Kind::UnknownWord, format!("`{other}` is no value of `body`"), help);
            None
        }
    }
}

fn read_delivery(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> DeliveryOptions {
    let waits = DEFAULT_RETRY_MS.into_iter().map(Duration::from_millis).collect();
    let mut options = DeliveryOptions { retry: RetrySchedule::custom(waits), timeout: DEFAULT_TIMEOUT };
    let Some(mut fields) =
        root.get_as("delivery", Shape::Inner).and_then(|value| fields(value, "[delivery]", mistakes))
    else {
        return options;
    };
    let waits = Shape::Array { of: Box::new(Shape::Duration), least: 0, most: Some(MAX_WAITS) };
    let retries = Shape::Either(vec![Shape::Words(SCHEDULES.to_vec()), waits]);
    if let Some(retry) = fields.get_as("retry", retries).and_then(|value| read_retry(value, mistakes)) {
        options.retry = retry;
    }
    options.timeout = fields.positive("timeout", DEFAULT_TIMEOUT, mistakes);
    fields.close(mistakes);
    options
}

fn read_retry(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<RetrySchedule> {
    match value.get_ref() {
        DeValue::String(name) => {
            let named = RetrySchedule::named(name);
            if named.is_none() {
                let help = suggest(name, SCHEDULES) + "\nor write the waits: [\"200ms\", \"400ms\"]";
                let message = format!("`{name}` is no retry schedule");
                mistakes.add_help(&value.span(), Kind::UnknownWord, message, help);
            }
            named
        }
        DeValue::Array(items) if items.len() > MAX_WAITS => {
            let message = format!("`retry` has {} waits, more than {MAX_WAITS}", items.len());
            mistakes.add(&value.span(), Kind::OutOfRange, message);
            None
        }
        DeValue::Array(items) => {
            let waits: Vec<_> = items.iter().map(|item| duration(item, "a wait in `retry`", mistakes)).collect();
            let waits: Option<Vec<_>> = waits.into_iter().map(|wait| wait.map(|at| at.value)).collect();
            waits.map(RetrySchedule::custom)
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            wrong_type(value, "`retry`", "the name of a schedule or an array of waits", mistakes);
            None
        }
    }
}

fn read_quiet(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> Quiet {
    let Some(mut fields) = root.get_as("quiet", Shape::Inner).and_then(|value| fields(value, "[quiet]", mistakes))
    else {
        return Quiet { budget: DEFAULT_QUIET, least: Duration::ZERO };
    };
    let budget = fields.positive("budget", DEFAULT_QUIET, mistakes);
    let least = fields.duration("least", Duration::ZERO, mistakes);
    if least > budget {
        mistakes.add(fields.span(), Kind::OutOfRange, "`least` is longer than the `budget` of [quiet]");
    }
    fields.close(mistakes);
    Quiet { budget, least }
}

fn read_doubles(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> (Doubles, Vec<DoubleName>) {
    let Some(mut fields) = root.get_as("doubles", Shape::Inner).and_then(|value| fields(value, "[doubles]", mistakes))
    else {
        return (Doubles::default(), Vec::new());
    };
    let declared = read_declared(&mut fields, mistakes);
    let mut is_on = |key, mistakes: &mut Mistakes| {
        let Some(value) = fields.get_as(key, Shape::Flag) else { return false };
        value.get_ref().as_bool().unwrap_or_else(|| {
            wrong_type(value, &format!("`{key}`"), "true or false", mistakes);
            false
        })
    };
    let doubles = Doubles { stripe: is_on("stripe", mistakes), alerts: is_on("alerts", mistakes) };
    fields.close(mistakes);
    (doubles, declared)
}

/// Most processes and workers of a simulated service: more add events, not interleavings.
const MOST_PROCESSES: u64 = 16;

fn read_simulation(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> Simulation {
    let default = Simulation::default();
    let Some(mut fields) =
        root.get_as("simulation", Shape::Inner).and_then(|value| fields(value, "[simulation]", mistakes))
    else {
        return default;
    };
    let mut few = |key, default: u32, mistakes: &mut Mistakes| {
        let count = fields.count(key, u64::from(default), 1..MOST_PROCESSES + 1, mistakes);
        u32::try_from(count).unwrap_or(default)
    };
    let (processes, workers) =
        (few("processes", default.processes, mistakes), few("workers", default.workers, mistakes));
    let simulation = Simulation {
        processes,
        workers,
        network: fields.between("network", default.network, mistakes),
        step: fields.between("step", default.step, mistakes),
        call: fields.between("call", default.call, mistakes),
    };
    fields.close(mistakes);
    simulation
}

/// A point of the service's code can be named only where hookdrill runs it step by step.
fn only_simulated(body: Option<&Body>, faults: &[At<Fault>], mistakes: &mut Mistakes) {
    if matches!(body, None | Some(Body::Simulated)) {
        return;
    }
    for fault in faults {
        let message = match fault.value.kind {
            FaultKind::Crash { .. } => "`crash` needs scheduling points, which only a simulated run has",
            _ => continue,
        };
        mistakes.add_help(&fault.span, Kind::OnlySimulated, message, "write body = \"simulated\" at the top");
    }
}

/// What the arrays of tables hold.
struct Tables {
    stories: Stories,
    steps: Vec<At<Step>>,
    given: Vec<GivenContact>,
    faults: Vec<At<Fault>>,
    criteria: Vec<At<Criterion>>,
    /// Whether every table but those of criteria could be read: only then is it known what lacks evidence.
    whole: bool,
}

impl Tables {
    fn read(
        root: &mut Fields<'_>,
        recordings: Recordings<'_>,
        declared: &[DoubleName],
        needed: Criteria,
        mistakes: &mut Mistakes,
    ) -> Self {
        let help = "add a [[story]] with a name and a recording";
        let message = "there is no [[story]]: nothing would be sent";
        let stories = some_entries(root, "story", (Kind::NoStories, message, help), mistakes);
        let stories = Stories::read(&stories, recordings, mistakes);
        let step_entries = entries(root, "step", mistakes);
        let steps: Vec<_> = step_entries.iter().filter_map(|entry| read_step(entry, &stories, mistakes)).collect();
        let given_entries = entries(root, "given", mistakes);
        let given: Vec<_> = given_entries.iter().filter_map(|entry| read_given(entry, &stories, mistakes)).collect();
        let fault_entries = entries(root, "fault", mistakes);
        let faults: Vec<_> =
            fault_entries.iter().filter_map(|entry| read_fault(entry, (&stories, declared), mistakes)).collect();
        let help =
            "add a [[criterion]], like events_lost = { exactly = 0 }; `hookdrill run --compare clean` needs none";
        let message = "there is no [[criterion]]: nothing would be shown";
        root.tie(Tie::AtLeast(&["story", "include"]));
        root.tie(Tie::AtLeast(&["criterion"]));
        let criteria = match needed {
            Criteria::Needed => some_entries(root, "criterion", (Kind::NoCriteria, message, help), mistakes),
            Criteria::Optional => entries(root, "criterion", mistakes),
        };
        let criteria = criteria.iter().filter_map(|entry| read_criterion(entry, mistakes)).collect();
        let whole = step_entries.len() == steps.len()
            && given_entries.len() == given.len()
            && fault_entries.len() == faults.len();
        Self { stories, steps, given, faults, criteria, whole }
    }

    /// The stories, once all of them could be read; what needs the whole is checked then.
    fn check(
        &self,
        delivery: &DeliveryOptions,
        (doubles, declared): (Doubles, &[DoubleName]),
        mistakes: &mut Mistakes,
    ) -> Option<Vec<StoryUse>> {
        let stories = self.stories.complete().filter(|stories| !stories.is_empty())?;
        if self.whole {
            let parts = Parts {
                stories: &stories,
                steps: &self.steps,
                given: &self.given,
                faults: &self.faults,
                delivery,
                doubles,
                declared,
                criteria: &self.criteria,
                largest: self.stories.largest().cloned().unwrap_or(0..0),
            };
            checks::check(&parts, mistakes);
        }
        Some(stories)
    }
}

/// The tables of `[[key]]`.
pub(super) fn entries<'t>(
    root: &mut Fields<'t>,
    key: &'static str,
    mistakes: &mut Mistakes,
) -> Vec<&'t Spanned<DeValue<'t>>> {
    let Some(value) = root.get_as(key, Shape::array(Shape::Inner)) else { return Vec::new() };
    if value.get_ref().is_table() {
        let message = format!("`{key}` must be an array of tables, not one table");
        mistakes.add_help(&value.span(), Kind::WrongType, message, format!("write [[{key}]]"));
        return vec![value];
    }
    array(value, &format!("`{key}`"), mistakes)
}

/// The tables of `[[key]]`, of which there must be one; a key of another type has been reported already.
fn some_entries<'t>(
    root: &mut Fields<'t>,
    key: &'static str,
    (kind, message, help): (Kind, &str, &str),
    mistakes: &mut Mistakes,
) -> Vec<&'t Spanned<DeValue<'t>>> {
    let found = entries(root, key, mistakes);
    if found.is_empty() && root.get(key).is_none_or(|value| value.get_ref().is_array()) {
        mistakes.add_help(root.span(), kind, message, help);
    }
    found
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A stem in lower case, with a dash for whatever a folder name should not hold.
fn slug(stem: &str) -> String {
    let clean: String = stem
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    match clean.trim_matches('-') {
        "" => "scenario".to_owned(),
        clean => clean.to_owned(),
    }
}
