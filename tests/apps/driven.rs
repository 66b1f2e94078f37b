//! hookdrill on three apps that know nothing of it: each planted mistake is caught under its name, the sound apps are left alone.
//!
//! Then the same by a comparison with a clean delivery alone: not a word is said of what is right.
//!
//! `HOOKDRILL_APP_SEEDS=50` runs the sound apps over so many seeds; `HOOKDRILL_APP_BUGS=name,…` only those mistakes;
//! `HOOKDRILL_APP_COMPARED=all` compares on every scenario of the table, not only where an older snapshot, a crash or a lost
//! reply does the harm.

use super::{
    here,
    planted::{App, Needs, Planted, planted},
};
use crate::{
    cli::{Finished, hookdrill, scratch},
    service::postgres::{Server, private},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;

/// Runs side by side, of all tests together: they mostly wait.
const AT_ONCE: usize = 4;
/// Seeds of a sound app where nobody asks for more: of the scenarios that show mistakes, which leave little to chance, and of
/// the one that is drawn.
const FEW_SEEDS: [u64; 2] = [1, 3];
/// What a sound app must stand besides: nearly all of it is drawn from the seed.
const DRAWN: &str = "rough-day";
/// A race is lost in nearly every run, not in each: so many seeds may show it.
const RACES: u64 = 3;
/// A run that this machine was too busy for shows nothing, and is made again.
const AGAIN: usize = 2;

#[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What an app needs to run here.
struct Stand {
    app: App,
    packages: PathBuf,
    server: Option<Server>,
}

/// How many runs are under way: more would only be in each other's way.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

static DATABASES: AtomicU64 = AtomicU64::new(1);

impl Stand {
    /// `None`, said loudly, where something is missing.
    fn of(app: App) -> Option<Self> {
        let test = format!("the app {}", app.folder());
        let folder = asked("HOOKDRILL_CLIENTS").map(PathBuf::from);
        let whole = folder.filter(|folder| app.packages().iter().all(|package| folder.join(package).exists()));
        let Some(packages) = whole else {
            let why = format!("HOOKDRILL_CLIENTS names no folder with {} (see .ci/run)", app.packages().join(", "));
            crate::skip(&test, &why);
            return None;
        };
        let server = match app {
            App::NodeSqlite | App::PythonSqlite => None,
            App::NodePostgres => Some(private(&test, &["max_connections=200", "fsync=off"])?),
        };
        Some(Self { app, packages, server })
    }

    /// A database of its own for one run.
    fn database(&self) -> String {
        let Some(server) = &self.server else { return String::new() };
        let name = format!("run_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut client = server.client().expect("the server answers");
        client.batch_execute(&format!("create database {name}")).expect("a database");
        server.url().replace("/postgres", &format!("/{name}"))
    }

    fn run(&self, bug: &str, scenario: &Path, seed: u64) -> Run {
        self.run_as(&here(self.app.folder()).join("hookdrill.toml"), (bug, scenario, seed))
    }

    /// With another project file.
    fn run_as(&self, project: &Path, (bug, scenario, seed): (&str, &Path, u64)) -> Run {
        let _one = Running::one();
        let folder = scratch();
        let reports = folder.path().join("reports").display().to_string();
        let project = project.display().to_string();
        let seed = seed.to_string();
        let scenario = scenario.to_str().expect("text");
        let mut arguments =
            vec!["run", scenario, "--target", &project, "--reports", &reports, "--seed", &seed, "--quiet"];
        arguments.extend(["--fixtures", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures")]);
        let (node, python) = (self.packages.join("node_modules"), self.packages.join("python"));
        let database = self.database();
        let environment = [
            ("BUG", bug),
            ("NODE_PATH", node.to_str().expect("text")),
            ("PYTHONPATH", python.to_str().expect("text")),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("DATABASE_URL", &database),
        ];
        let finished = hookdrill(&arguments, &environment);
        let summary = std::fs::read_to_string(folder.path().join("reports/summary.json")).unwrap_or_default();
        Run { finished, summary: serde_json::from_str(&summary).unwrap_or(Value::Null) }
    }

    /// The same until the machine had the time for it.
    fn shown(&self, bug: &str, scenario: &Path, seed: u64) -> (Run, usize) {
        let mut run = self.run(bug, scenario, seed);
        let mut again = 0;
        while run.finished.code == 2 && again < AGAIN {
            again += 1;
            run = self.run(bug, scenario, seed);
        }
        (run, again)
    }
}

/// One of the runs that may be under way.
struct Running;

impl Running {
    fn one() -> Self {
        let (count, freed) = &RUNNING;
        let full = |running: &mut usize| *running >= AT_ONCE;
        let count = count.lock().unwrap_or_else(PoisonError::into_inner);
        *freed.wait_while(count, full).unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (count, freed) = &RUNNING;
        *count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
    }
}

struct Run {
    finished: Finished,
    summary: Value,
}

impl Run {
    /// Names under which scenarios failed, and the criteria that failed under them.
    fn found(&self) -> (BTreeSet<String>, BTreeMap<String, String>) {
        let (mut names, mut criteria) = (BTreeSet::new(), BTreeMap::new());
        for scenario in self.summary["scenarios"].as_array().into_iter().flatten() {
            names.extend(scenario["anomaly"].as_str().map(str::to_owned));
            for verdict in scenario["verdicts"]["verdicts"].as_array().into_iter().flatten() {
                if let (Some(criterion), Some("fail")) = (verdict["criterion"].as_str(), verdict["validity"].as_str()) {
                    let anomaly = verdict["anomaly"].as_str().unwrap_or("none");
                    criteria.insert(criterion.to_owned(), anomaly.to_owned());
                }
            }
        }
        (names, criteria)
    }
}

fn file_of(scenario: &str) -> PathBuf {
    match scenario.strip_prefix('/') {
        Some(shipped) => Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{shipped}.toml")),
        None => here(&format!("scenarios/{scenario}.toml")),
    }
}

/// Calls `each` for all items, a few at a time.
fn side_by_side<T: Sync>(items: &[T], each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(item);
                }
            });
        }
    });
}

/// A scenario as it stands but for its criteria: the one that is left compares with a clean delivery.
struct Wordless {
    _folder: TempDir,
    path: PathBuf,
}

impl Wordless {
    fn new(scenario: &str) -> Self {
        let (file, folder) = (file_of(scenario), scratch());
        let mut table: toml::Table = std::fs::read_to_string(&file).expect("a scenario").parse().expect("TOML");
        let compared: toml::Table = "differences_from_clean = { exactly = 0 }".parse().expect("TOML");
        table.insert("criterion".to_owned(), toml::Value::Array(vec![toml::Value::Table(compared)]));
        let path = folder.path().join(file.file_name().expect("a name"));
        std::fs::write(&path, toml::to_string(&table).expect("TOML")).expect("written");
        Self { _folder: folder, path }
    }
}

/// What must show a mistake.
struct Wanted<'a> {
    anomaly: &'a str,
    criterion: &'a str,
}

/// Why a mistake is not caught as it should be; none when it is.
fn missed(stand: &Stand, planted: &Planted, scenario: &Path, wanted: &Wanted<'_>) -> Option<String> {
    let seeds = if matches!(planted.needs, Needs::Concurrency | Needs::Order) { RACES } else { 1 };
    let mut why = String::new();
    for seed in 1..=seeds {
        let (run, _) = stand.shown(&planted.bug, scenario, seed);
        let (names, criteria) = run.found();
        let named = names.len() == 1 && names.contains(wanted.anomaly);
        let judged = criteria.get(wanted.criterion).is_some_and(|anomaly| anomaly == wanted.anomaly);
        if run.finished.code == 1 && named && judged {
            return None;
        }
        why = format!(
            "{} in {}: exit {}, {names:?}, {criteria:?}; wanted {} by {}\n{}",
            planted.bug,
            planted.app.folder(),
            run.finished.code,
            wanted.anomaly,
            wanted.criterion,
            run.finished
        );
        // Under another name is no bad luck.
        if run.finished.code != 0 && run.finished.code != 2 {
            break;
        }
    }
    Some(why)
}

/// The mistakes of an app that are to be tried.
fn rows(app: App) -> Vec<Planted> {
    let only = asked("HOOKDRILL_APP_BUGS");
    let wanted = |bug: &str| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == bug));
    planted().into_iter().filter(|row| row.app == app && wanted(&row.bug)).collect()
}

fn none_is_missed(rows: &[Planted], missed: impl Fn(&Planted) -> Option<String> + Sync) {
    let wrong = Mutex::new(Vec::new());
    side_by_side(rows, |row| {
        let why = missed(row);
        wrong.lock().unwrap_or_else(PoisonError::into_inner).extend(why);
    });
    let wrong = wrong.into_inner().expect("not poisoned");
    assert!(wrong.is_empty(), "{} of {} mistakes:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

fn every_mistake_is_caught(app: App) {
    let Some(stand) = Stand::of(app) else { return };
    none_is_missed(&rows(app), |row| {
        let wanted = Wanted { anomaly: &row.anomaly, criterion: &row.criterion };
        missed(&stand, row, &file_of(&row.scenario), &wanted)
    });
}

/// Whether all is compared, or only what the table calls for by name: an older snapshot that wins, what is forgotten in a crash,
/// a second contact.
fn compares(planted: &Planted) -> bool {
    const ALWAYS: [&str; 5] =
        ["older-snapshot-wins", "ack-first", "queue-in-memory", "claim-never-freed", "contact-in-two-steps"];
    asked("HOOKDRILL_APP_COMPARED").is_some() || ALWAYS.contains(&planted.bug.as_str())
}

fn a_comparison_alone_catches_them(app: App) {
    let Some(stand) = Stand::of(app) else { return };
    let rows: Vec<Planted> = rows(app).into_iter().filter(|row| compares(row) && row.compared().is_some()).collect();
    assert!(rows.len() >= 3 || asked("HOOKDRILL_APP_BUGS").is_some(), "{}: {}", app.folder(), rows.len());
    none_is_missed(&rows, |row| {
        let wanted = Wanted { anomaly: row.compared().expect("filtered"), criterion: "differences_from_clean" };
        missed(&stand, row, &Wordless::new(&row.scenario).path, &wanted)
    });
    let scenarios: BTreeSet<String> = rows.into_iter().map(|row| row.scenario).collect();
    let seeds = seeds().unwrap_or(1);
    let mut runs: Vec<(u64, Wordless)> = Vec::new();
    for scenario in scenarios.iter().map(String::as_str).chain(asked("HOOKDRILL_APP_COMPARED").map(|_| DRAWN)) {
        runs.extend((1..=seeds).map(|seed| (seed, Wordless::new(scenario))));
    }
    nothing_is_said(&stand, runs.iter().map(|(seed, scenario)| (*seed, scenario.path.as_path())).collect());
}

/// The scenarios in which a mistake of this app shows: on the same ones nothing may be said of the sound app.
fn scenarios_of(app: App) -> Vec<PathBuf> {
    let names: BTreeSet<String> = planted().into_iter().filter(|row| row.app == app).map(|row| row.scenario).collect();
    names.iter().map(|name| file_of(name)).collect()
}

/// How many seeds somebody asks for.
fn seeds() -> Option<u64> {
    asked("HOOKDRILL_APP_SEEDS").and_then(|n| n.parse().ok())
}

fn nothing_is_said_of_the_sound(app: App) {
    let Some(stand) = Stand::of(app) else { return };
    let seeds = seeds().map_or(FEW_SEEDS, |seeds| [seeds; 2]);
    let (scenarios, drawn) = (scenarios_of(app), [file_of(DRAWN)]);
    let mut runs: Vec<(u64, &Path)> = Vec::new();
    for (seeds, paths) in [(seeds[0], &scenarios[..]), (seeds[1], &drawn[..])] {
        runs.extend((1..=seeds).flat_map(|seed| paths.iter().map(move |path| (seed, path.as_path()))));
    }
    nothing_is_said(&stand, runs);
}

/// The sound app passes each of these, by seed and scenario.
fn nothing_is_said(stand: &Stand, runs: Vec<(u64, &Path)>) {
    let (wrong, again) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    side_by_side(&runs, |(seed, scenario)| {
        let (run, repeated) = stand.shown("", scenario, *seed);
        again.fetch_add(repeated, Ordering::Relaxed);
        if run.finished.code != 0 {
            let said = format!("{} with seed {seed}: {}", scenario.display(), run.finished);
            wrong.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        }
    });
    let wrong = wrong.into_inner().expect("not poisoned");
    let (all, again) = (runs.len(), again.into_inner());
    println!("{}: {all} runs, {} not green, {again} made again", stand.app.folder(), wrong.len());
    assert!(wrong.is_empty(), "{} of {all} runs ({again} made again):\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_mistake_of_the_node_shop_is_caught() {
    every_mistake_is_caught(App::NodeSqlite);
}

#[test]
fn every_mistake_of_the_python_shop_is_caught() {
    every_mistake_is_caught(App::PythonSqlite);
}

#[test]
fn every_mistake_of_the_billing_service_is_caught() {
    every_mistake_is_caught(App::NodePostgres);
}

#[test]
fn a_comparison_alone_catches_mistakes_of_the_node_shop() {
    a_comparison_alone_catches_them(App::NodeSqlite);
}

#[test]
fn a_comparison_alone_catches_mistakes_of_the_python_shop() {
    a_comparison_alone_catches_them(App::PythonSqlite);
}

#[test]
fn a_comparison_alone_catches_mistakes_of_the_billing_service() {
    a_comparison_alone_catches_them(App::NodePostgres);
}

#[test]
fn nothing_is_said_of_the_sound_node_shop() {
    nothing_is_said_of_the_sound(App::NodeSqlite);
}

#[test]
fn nothing_is_said_of_the_sound_python_shop() {
    nothing_is_said_of_the_sound(App::PythonSqlite);
}

#[test]
fn nothing_is_said_of_the_sound_billing_service() {
    nothing_is_said_of_the_sound(App::NodePostgres);
}

/// A worker's claim runs out after twelve seconds here: what is still to come is lost for whoever does not wait so long.
#[test]
fn what_a_dead_worker_held_is_waited_for_as_long_as_the_project_says() {
    let Some(stand) = Stand::of(App::NodeSqlite) else { return };
    let folder = here(App::NodeSqlite.folder());
    let text = std::fs::read_to_string(folder.join("hookdrill.toml")).expect("a project file");
    let text = text.replace("JOB_LEASE_MS = \"1500\"", "JOB_LEASE_MS = \"12000\"");
    let (scratch, scenario) = (scratch(), file_of("killed-at-a-call"));
    let file = scratch.path().join("hookdrill.toml");
    let run = |more: &str| {
        let target = format!("[target]\ncwd = {:?}\n{more}", folder.display());
        std::fs::write(&file, text.replace("[target]\n", &target)).expect("written");
        stand.run_as(&file, ("", &scenario, 1))
    };
    let hasty = run("");
    assert_eq!(hasty.finished.code, 1, "{}", hasty.finished);
    assert!(hasty.finished.stdout.contains("`recovers_within` under [target]"), "{}", hasty.finished);
    let patient = run("recovers_within = \"16s\"\n");
    assert_eq!(patient.finished.code, 0, "{}", patient.finished);
}

/// The table as the README shows it.
fn table() -> String {
    let mut lines = vec![
        "| App | `BUG` | Class | What it does | Scenario | Anomaly | Criterion | Needs | By comparison alone |"
            .to_owned(),
    ];
    lines.push("|---|---|---|---|---|---|---|---|---|".to_owned());
    for row in planted() {
        let compared = match (row.compared(), &row.compared_not) {
            (_, Some(why)) => format!("no: {why}"),
            (name, None) => name.unwrap_or_default().to_owned(),
        };
        let scenario = match row.scenario.strip_prefix('/') {
            Some(shipped) => format!("[{shipped}](../../scenarios/{shipped}.toml)"),
            None => format!("[{0}](scenarios/{0}.toml)", row.scenario),
        };
        let class = row.class.map(|class| class.to_string()).unwrap_or_default();
        let Planted { bug, does, anomaly, criterion, app, needs, .. } = row;
        let (app, needs) = (app.folder(), needs.word());
        lines.push(format!(
            "| {app} | `{bug}` | {class} | {does} | {scenario} | {anomaly} | `{criterion}` | {needs} | {compared} |"
        ));
    }
    lines.join("\n")
}

#[test]
fn the_readme_has_the_table_of_mistakes() {
    let readme = here("README.md");
    let text = std::fs::read_to_string(&readme).expect("a README");
    let (head, rest) = text.split_once("<!-- mistakes: made by a test -->\n").expect("the mark");
    let (_, tail) = rest.split_once("\n<!-- mistakes end -->").expect("the end mark");
    let right = format!("{head}<!-- mistakes: made by a test -->\n{}\n<!-- mistakes end -->{tail}", table());
    if asked("UPDATE").is_some() {
        std::fs::write(&readme, right).expect("written");
        return;
    }
    assert!(text == right, "run UPDATE=1 cargo test --test suite apps::driven::the_readme");
}

#[test]
fn there_are_enough_mistakes_of_every_kind() {
    let all = planted();
    for app in App::ALL {
        let of: Vec<&Planted> = all.iter().filter(|row| row.app == app).collect();
        assert!(of.len() >= 8, "{}: {}", app.folder(), of.len());
        let hard = of.iter().filter(|row| !matches!(row.needs, Needs::Nothing | Needs::Order)).count();
        assert!(hard >= 2, "{}: {hard} need a crash, a lost reply or concurrency", app.folder());
        for row in of {
            let folder = here(app.folder());
            let sources = std::fs::read_dir(&folder).expect("a folder").flatten();
            let mut texts = sources.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
            assert!(texts.any(|text| text.contains(&format!("bug(\"{}\")", row.bug))), "{} is planted", row.bug);
            assert!(file_of(&row.scenario).exists(), "{} is there", row.scenario);
        }
    }
}
