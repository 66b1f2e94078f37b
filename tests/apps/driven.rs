//! hookdrill on three apps that know nothing of it: each planted mistake is caught under its name, the sound apps are left alone.
//!
//! `HOOKDRILL_APP_SEEDS=50` runs the sound apps over so many seeds; `HOOKDRILL_APP_BUGS=name,…` only those mistakes.

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
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// Runs of one test side by side: they mostly wait.
const AT_ONCE: usize = 3;
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

/// The apps one after another: they are the load of each other otherwise.
static ALONE: Mutex<()> = Mutex::new(());

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

    fn run(&self, bug: &str, scenarios: &[PathBuf], seed: u64) -> Run {
        let folder = scratch();
        let reports = folder.path().join("reports").display().to_string();
        let project = here(self.app.folder()).join("hookdrill.toml").display().to_string();
        let seed = seed.to_string();
        let paths: Vec<String> = scenarios.iter().map(|path| path.display().to_string()).collect();
        let mut arguments = vec!["run"];
        arguments.extend(paths.iter().map(String::as_str));
        arguments.extend(["--target", &project, "--reports", &reports, "--seed", &seed, "--quiet"]);
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
    fn shown(&self, bug: &str, scenarios: &[PathBuf], seed: u64) -> (Run, usize) {
        let mut run = self.run(bug, scenarios, seed);
        let mut again = 0;
        while run.finished.code == 2 && again < AGAIN {
            again += 1;
            run = self.run(bug, scenarios, seed);
        }
        (run, again)
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

/// Why a mistake is not caught as it should be; none when it is.
fn missed(stand: &Stand, planted: &Planted) -> Option<String> {
    let seeds = if planted.needs == Needs::Concurrency { RACES } else { 1 };
    let mut why = String::new();
    for seed in 1..=seeds {
        let (run, _) = stand.shown(&planted.bug, &[file_of(&planted.scenario)], seed);
        let (names, criteria) = run.found();
        let named = names.len() == 1 && names.contains(&planted.anomaly);
        let judged = criteria.get(&planted.criterion).is_some_and(|anomaly| *anomaly == planted.anomaly);
        if run.finished.code == 1 && named && judged {
            return None;
        }
        why = format!(
            "{} in {}: exit {}, {names:?}, {criteria:?}; wanted {} by {}\n{}",
            planted.bug,
            planted.app.folder(),
            run.finished.code,
            planted.anomaly,
            planted.criterion,
            run.finished
        );
        // Under another name is no bad luck.
        if run.finished.code != 0 && run.finished.code != 2 {
            break;
        }
    }
    Some(why)
}

fn every_mistake_is_caught(app: App) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stand) = Stand::of(app) else { return };
    let only = asked("HOOKDRILL_APP_BUGS");
    let wanted = |bug: &str| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == bug));
    let rows: Vec<Planted> = planted().into_iter().filter(|row| row.app == app && wanted(&row.bug)).collect();
    let wrong = Mutex::new(Vec::new());
    side_by_side(&rows, |row| {
        let why = missed(&stand, row);
        wrong.lock().unwrap_or_else(PoisonError::into_inner).extend(why);
    });
    let wrong = wrong.into_inner().expect("not poisoned");
    assert!(wrong.is_empty(), "{} of {} mistakes:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// The scenarios in which a mistake of this app shows: on the same ones nothing may be said of the sound app.
fn scenarios_of(app: App) -> Vec<PathBuf> {
    let names: BTreeSet<String> = planted().into_iter().filter(|row| row.app == app).map(|row| row.scenario).collect();
    names.iter().map(|name| file_of(name)).collect()
}

fn nothing_is_said_of_the_sound(app: App) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stand) = Stand::of(app) else { return };
    let seeds = asked("HOOKDRILL_APP_SEEDS").and_then(|n| n.parse().ok()).map_or(FEW_SEEDS, |seeds| [seeds; 2]);
    let (scenarios, drawn) = (scenarios_of(app), [file_of(DRAWN)]);
    let mut runs: Vec<(u64, &PathBuf)> = Vec::new();
    for (seeds, paths) in [(seeds[0], &scenarios[..]), (seeds[1], &drawn[..])] {
        runs.extend((1..=seeds).flat_map(|seed| paths.iter().map(move |path| (seed, path))));
    }
    let (wrong, again) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    side_by_side(&runs, |(seed, scenario)| {
        let (run, repeated) = stand.shown("", std::slice::from_ref(*scenario), *seed);
        again.fetch_add(repeated, Ordering::Relaxed);
        if run.finished.code != 0 {
            let said = format!("{} with seed {seed}: {}", scenario.display(), run.finished);
            wrong.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        }
    });
    let wrong = wrong.into_inner().expect("not poisoned");
    let (all, again) = (runs.len(), again.into_inner());
    println!("{}: {all} runs, {} not green, {again} made again", app.folder(), wrong.len());
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

/// The table as the README shows it.
fn table() -> String {
    let mut lines = vec!["| App | `BUG` | Class | What it does | Scenario | Anomaly | Criterion | Needs |".to_owned()];
    lines.push("|---|---|---|---|---|---|---|---|".to_owned());
    for row in planted() {
        let scenario = match row.scenario.strip_prefix('/') {
            Some(shipped) => format!("[{shipped}](../../scenarios/{shipped}.toml)"),
            None => format!("[{0}](scenarios/{0}.toml)", row.scenario),
        };
        let class = row.class.map(|class| class.to_string()).unwrap_or_default();
        let Planted { bug, does, anomaly, criterion, app, needs, .. } = row;
        let (app, needs) = (app.folder(), needs.word());
        lines
            .push(format!("| {app} | `{bug}` | {class} | {does} | {scenario} | {anomaly} | `{criterion}` | {needs} |"));
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
        let hard = of.iter().filter(|row| row.needs != Needs::Nothing).count();
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
