//! `hookdrill run`: the gate. Scenario after scenario: plan, drive, judge, report.
//!
//! Scenarios run one after another, so that the latency of one is not the load of another.

use super::{
    Failure,
    args::{DatabaseKind, RunArgs},
    embedded::{self, EmbeddedSecrets, ServedFrom},
    exit::Exit,
    find::{self, Found},
    gate::{self, NotJudged},
    measure, output, simulate,
    started::{self, Started},
    stored,
    voice::Voice,
};
use crate::{
    check::{self, anomaly::Anomaly, verdict::Validity},
    drive::{
        clock::RunClock,
        http::Sender,
        live::{LiveRun, LockStore, drive},
        preflight::{Preflight, preflight},
        project::Project,
    },
    history::{
        file,
        record::{Call, Record},
    },
    mock::socket::Doubles,
    plan::{
        compile::{compile, compile_timed},
        model::Plan,
    },
    redact::Redactor,
    report::{self, Ending, NotRun, RunReport, ScenarioReport, annotations::Place},
    scenario::{
        load::Criteria,
        model::{Body, Scenario},
    },
    service::store::{PostgresAt, Store},
    time::Timestamp,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::mpsc::UnboundedReceiver;

/// Queues commonly hand a dead worker's job on after this (SQS, BullMQ).
const USUAL_LEASE_MS: u64 = 30_000;

/// What is said beside something that is lost.
const MAY_STILL_COME: &str = "if your app takes up a dead worker's job, or tries again, only after a while, it is not lost yet: say how \
    long that takes with `recovers_within` under [target]";

/// Runs what the arguments name.
///
/// # Errors
/// [`Failure::Usage`] before anything is sent; what breaks later is part of the report.
pub fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let options = args.recordings.options();
    let shipped = [PathBuf::from("scenarios")];
    let paths = if args.paths.is_empty() { shipped.as_slice() } else { &args.paths };
    let mut found = match &args.plan {
        Some(plan) => vec![stored::planned(plan)?],
        None => {
            let criteria = if args.compare.is_some() { Criteria::Optional } else { Criteria::Needed };
            find::scenarios(paths, &args.recordings.fixtures, options, criteria)?
        }
    };
    // The secrets of a plan are made from its own seed.
    let seed = found.iter().find_map(|f| f.plan.as_ref()).map_or(args.seed, |plan| plan.seed);
    let args = &RunArgs { seed, ..args.clone() };
    found.retain(|f| wanted(&args.filter, &f.scenario));
    if found.is_empty() {
        return Err(Failure::Usage("there is nothing to run: no scenario matches".to_owned()));
    }
    for name in &args.defect {
        super::serve::defect(name)?;
    }
    if args.compare.is_some() {
        found.iter_mut().try_for_each(|found| super::compare::add(found, &args.ignore))?;
    }
    let project = match &args.target {
        Some(path) => Some(super::project_file(path, args.seed)?),
        None => None,
    };
    // Whoever named a scenario wants it judged; of all that there are, those are run that can be.
    if let Some(project) = project.as_ref() {
        gate::prepare(&mut found, project, args.partly).map_err(Failure::Usage)?;
    }
    if project.is_none() {
        super::declared::runnable(&found, None)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Broken(format!("cannot start: {error}")))?;
    let clock = RunClock::start();
    let mut reports = Vec::new();
    let say = Voice::new(args);
    say.opening(&found, project.as_ref());
    let mut not_run = Vec::new();
    for found in &found {
        if let Some(why) = left_out(args, found, project.as_ref()) {
            not_run.push(NotRun { name: found.scenario.name.clone(), why });
            continue;
        }
        say.begin(&found.scenario);
        let report = if args.simulate || found.scenario.body == Body::Simulated {
            simulate::scenario(args, found, &say)
        } else {
            runtime.block_on(one(args, found, project.as_ref()))
        };
        say.end(&report);
        reports.push(report);
    }
    let redactor = redactor(args, project.as_ref());
    let target = project.map_or_else(|| "embedded reference service".to_owned(), |p| p.target.name);
    let started = if args.simulate { simulate::epoch(args) } else { clock.started() };
    let whole = RunReport::new(started, &target, reports, &redactor).leaving_out(not_run);
    write_combined(&args.reports, &whole)
        .map_err(|error| Failure::Broken(format!("cannot write the reports: {error}")))?;
    say.closing(&whole, &args.reports).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(exit_of(&whole))
}

/// Whether the filters want a scenario: any of those without `!` (when there are such), and none of those with it.
pub(super) fn wanted(filters: &[String], scenario: &Scenario) -> bool {
    let fits = |glob: &str| find::matches(glob, &scenario.name) || find::matches(glob, &scenario.slug);
    let (out, within): (Vec<_>, Vec<_>) = filters.iter().partition(|f| f.starts_with('!'));
    (within.is_empty() || within.iter().any(|f| fits(f))) && !out.iter().any(|f| fits(&f[1..]))
}

/// Takes every secret of this run out of texts.
fn redactor(args: &RunArgs, project: Option<&Project>) -> Redactor {
    let embedded = EmbeddedSecrets::new(args.seed);
    let of_project = project.map(started::secrets).unwrap_or_default();
    let secrets = embedded.all().into_iter().chain(of_project.iter().map(String::as_str));
    Redactor::new(&secrets.collect::<Vec<_>>())
}

/// Why a scenario is not run, when it is not.
fn left_out(args: &RunArgs, found: &Found, project: Option<&Project>) -> Option<String> {
    let scenario = &found.scenario;
    match (&scenario.body, project) {
        (Body::Live { reason }, _) if args.simulate => Some(format!("it runs live only: {reason}")),
        (Body::Simulated, Some(_)) => Some("it runs in virtual time only, where an app of yours cannot be".to_owned()),
        (Body::Live { .. } | Body::Both, Some(project)) => {
            let lacking = gate::unanswerable(scenario, project);
            let more = scenario.asks_more.as_ref().filter(|_| !found.named);
            let more = more.map(|why| format!("a sound app may fail it: {why}; name its file to run it"));
            (!lacking.is_empty()).then(|| lacking.join("; ")).or(more)
        }
        (Body::Live { .. } | Body::Simulated | Body::Both, None) => None,
    }
}

/// One scenario; whatever breaks becomes part of its report.
async fn one(args: &RunArgs, found: &Found, project: Option<&Project>) -> ScenarioReport {
    let clock = RunClock::start();
    let mut report = blank(args, found);
    match attempt(args, found, project, clock, &mut report).await {
        Ok(()) => {}
        Err(why) => report.broken = Some(why),
    }
    if project.is_some() && report.ending() != Ending::Passed && !report.folder.is_empty() {
        report.notes.extend(output::notes(Path::new(&report.folder)));
    }
    report.duration_ms = clock.now_ms();
    report
}

pub(super) fn blank(args: &RunArgs, found: &Found) -> ScenarioReport {
    let mut again = match &found.plan {
        Some(_) => format!("hookdrill run --plan {}", found.path.display()),
        None => format!("hookdrill run {} --seed {}", found.path.display(), args.seed),
    };
    let fixtures =
        (args.recordings.fixtures != Path::new("fixtures")).then(|| args.recordings.fixtures.display().to_string());
    let database = (args.database == DatabaseKind::Postgres).then(|| embedded::POSTGRES.to_owned());
    let options = [
        ("--filter", found.several.then(|| found.scenario.slug.clone())),
        ("--database", database),
        ("--processes", (args.processes > 1).then(|| args.processes.to_string())),
        ("--target", args.target.as_ref().map(|p| p.display().to_string())),
        ("--fixtures", fixtures),
        ("--epoch", args.epoch.map(|epoch| epoch.to_string())),
    ];
    for (flag, value) in options {
        if let Some(value) = value {
            again.push_str(&format!(" {flag} {value}"));
        }
    }
    if args.recordings.allow_livemode {
        again.push_str(" --allow-livemode");
    }
    if args.simulate {
        again.push_str(" --simulate");
    }
    if args.compare.is_some() {
        again.push_str(" --compare clean");
    }
    if args.partly || !found.not_judged.is_empty() {
        again.push_str(" --partly");
    }
    for path in &args.ignore {
        again.push_str(&format!(" --ignore '{path}'"));
    }
    if let Some(seed) = args.cast_seed {
        again.push_str(&format!(" --cast-seed {seed}"));
    }
    for defect in &args.defect {
        again.push_str(&format!(" --defect {defect}"));
    }
    ScenarioReport {
        name: found.scenario.name.clone(),
        slug: found.scenario.slug.clone(),
        place: found.text.as_ref().map(|text| Place::of(&found.path.display().to_string(), text)),
        about: found.scenario.about.clone(),
        covers: found.scenario.covers.clone(),
        seed: args.seed,
        verdicts: None,
        broken: None,
        folder: String::new(),
        duration_ms: 0,
        deliveries: 0,
        attempts: 0,
        customers: 0,
        again,
        notes: Vec::new(),
        not_judged: found.not_judged.iter().map(NotJudged::words).collect(),
        ..ScenarioReport::default()
    }
}

async fn attempt(
    args: &RunArgs,
    found: &Found,
    project: Option<&Project>,
    clock: RunClock,
    report: &mut ScenarioReport,
) -> Result<(), String> {
    let epoch = args.epoch.map_or(clock.started(), Timestamp::from_secs);
    let reads_stripe = project.is_some_and(|project| project.target.stripe);
    let plan = match &found.plan {
        Some(plan) => plan.clone(),
        None => {
            // An app that reads Stripe in its handler does so in every scenario.
            let compile = if reads_stripe { compile_timed } else { compile };
            compile(&found.scenario, args.seed, epoch).map_err(|error| error.to_string())?
        }
    };
    let plan = if reads_stripe { plan.timed() } else { plan };
    let plan = match project {
        Some(project) => plan.recovering(project.target.recovers_within),
        None => plan,
    };
    let folder = make_folder(&args.reports, &found.scenario.slug, clock.started(), args.seed)?;
    report.folder = folder.display().to_string();
    let scenario_text = found.text.clone().unwrap_or_default();
    write(&folder.join("scenario.toml"), &scenario_text)?;
    let json = serde_json::to_string_pretty(&plan).map_err(|error| error.to_string())?;
    write(&folder.join("plan.json"), &json)?;
    live(args, (&plan, found), project, clock, &folder).await?;
    judge(found, &plan, &folder, report)?;
    let hint = project.is_some() && may_still_come(&plan, report);
    report.notes.extend(hint.then(|| MAY_STILL_COME.to_owned()));
    Ok(())
}

/// Whether something is lost that an app with a pause of its own would yet make up for: hookdrill sees no queue of a foreign app.
fn may_still_come(plan: &Plan, report: &ScenarioReport) -> bool {
    let verdicts = report.verdicts.iter().flat_map(|verdicts| &verdicts.verdicts);
    let mut lost =
        verdicts.filter(|verdict| verdict.validity == Validity::Fail && verdict.anomaly == Some(Anomaly::Lost));
    plan.recovers_within_ms == 0
        && plan.quiet_least_ms < USUAL_LEASE_MS
        && plan.leaves_something_to_make_up_for()
        && lost.next().is_some()
}

/// The doubles of a run, with what comes of their calls.
async fn start_doubles(
    plan: &Plan,
    project: Option<&Project>,
    clock: RunClock,
) -> Result<(Doubles, UnboundedReceiver<(u64, Call)>), String> {
    let (doubles, calls) = started::doubles(project, clock, plan.outages.clone()).await?;
    doubles.follow(plan);
    for given in plan.all_given() {
        doubles.give_contact(given.properties.clone());
    }
    Ok((doubles, calls))
}

async fn live(
    args: &RunArgs,
    (plan, found): (&Plan, &Found),
    project: Option<&Project>,
    clock: RunClock,
    folder: &Path,
) -> Result<(), String> {
    let secrets = EmbeddedSecrets::new(args.seed);
    let (doubles, calls) = start_doubles(plan, project, clock).await?;
    if let Some(project) = project {
        gate::databases(project).await?;
    }
    let scratch = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let database = Scratch::new(args, scratch.path())?;
    let lock_store = project.is_none().then(|| database.lock());
    let url = super::environment(embedded::DATABASE_URL);
    let redactor = redactor(args, project).and(url.as_deref());
    let started = match project {
        Some(project) => started::project(project, &doubles, (scratch.path(), folder), &redactor).await?,
        None => started::embedded(args, plan, &secrets, &doubles, (&database.from, folder)).await?,
    };
    let Started { targets, service, serves } = started;
    if service.is_none() {
        let down = |why| format!("{why}; start your app, or correct `webhook` in the project file");
        gate::reachable(&targets[0].webhook).await.map_err(down)?;
    }
    let own = secrets.all().into_iter().chain(targets[0].secrets.all()).chain(url.as_deref());
    let own = own.map(str::to_owned).collect();
    // What an app says of itself (a status, a plan) may hold what it should not: nothing of it is written unredacted.
    let history = file::Writer::create(&folder.join("history.jsonl"))
        .map(|writer| writer.redacting(redactor.clone()))
        .map_err(|error| format!("cannot write the history: {error}"))?;
    let preflight = match project {
        Some(_) => Some(preflight(&Sender::new(), &targets[0], &folder.display().to_string()).await),
        None => None,
    };
    let options = options(args, &found.not_judged, preflight.as_ref());
    let far = if service.is_none() { Some(targets[0].webhook.clone()) } else { None };
    let (doubles, measure) = (&doubles, measure::of(&found.scenario.criteria, folder, own));
    let run = LiveRun {
        plan,
        targets,
        service,
        serves,
        doubles,
        calls,
        clock,
        suspicion: preflight.and_then(|preflight| preflight.suspicion),
        history,
        options,
        redactor,
        lock_store,
        measure,
    };
    let driven = drive(run).await.map_err(|error| error.to_string());
    let cleared = database.clear();
    driven.and(cleared)?;
    match far {
        // That it is gone says nothing of what it would have done.
        Some(url) => gate::reachable(&url).await.map_err(|why| format!("the target went down during the run: {why}")),
        None => Ok(()),
    }
}

/// Further options for the first record.
fn options(args: &RunArgs, not_judged: &[NotJudged], preflight: Option<&Preflight>) -> BTreeMap<String, String> {
    let defects = ("defects", args.defect.join(" "));
    let left_out: Vec<String> = not_judged.iter().map(|one| format!("{}#{}", one.criterion, one.at)).collect();
    let left_out = (!left_out.is_empty()).then(|| (stored::NOT_JUDGED, left_out.join(" ")));
    let further = match preflight {
        // A target of the user's has what it has.
        Some(preflight) => vec![defects, ("preflight", preflight.words.clone())],
        None => vec![
            defects,
            ("database", format!("{:?}", args.database).to_lowercase()),
            ("processes", args.processes.to_string()),
        ],
    };
    further.into_iter().chain(left_out).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The database of one run: nothing of it is left afterwards.
struct Scratch {
    from: ServedFrom,
    file: Option<PathBuf>,
    schema: Option<PostgresAt>,
}

impl Scratch {
    fn new(args: &RunArgs, folder: &Path) -> Result<Self, String> {
        match args.database {
            DatabaseKind::Sqlite => {
                let file = folder.join("service.db");
                Ok(Self { from: ServedFrom::File(file.clone()), file: Some(file), schema: None })
            }
            DatabaseKind::Postgres => {
                // The folder has a name that no other run on this machine has.
                let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
                let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
                let name = format!("run_{}_{name}", std::process::id());
                let schema = embedded::postgres(&name).map_err(|error| error.to_string())?;
                // Before the service is started: it could only die of it.
                schema.check().map_err(|error| format!("the service's database cannot be used: {error}"))?;
                Ok(Self { from: ServedFrom::Schema(name), file: None, schema: Some(schema) })
            }
        }
    }

    /// How a fault locks it: through a connection of its own.
    fn lock(&self) -> LockStore {
        let (file, schema) = (self.file.clone(), self.schema.clone());
        Arc::new(move || {
            let store = match (&schema, &file) {
                (Some(at), _) => Store::postgres(at),
                (None, Some(path)) => Store::sqlite(path),
                (None, None) => return Err("the service has no database of its own".to_owned()),
            };
            let mut store = store.map_err(|error| error.to_string())?;
            store.hold().map_err(|error| error.to_string())?;
            Ok(Box::new(store) as Box<dyn Send>)
        })
    }

    fn clear(self) -> Result<(), String> {
        let dropped = self.schema.as_ref().map_or(Ok(()), PostgresAt::drop_schema);
        dropped
            .map_err(|error| format!("the service's database is gone, so nothing can be said of the service: {error}"))
    }
}

pub(super) fn judge(found: &Found, plan: &Plan, folder: &Path, report: &mut ScenarioReport) -> Result<(), String> {
    let history = file::read(&folder.join("history.jsonl")).map_err(|error| error.to_string())?;
    report.deliveries = plan.deliveries.len() as u64;
    report.customers = plan.customers();
    report.attempts = history.attempts();
    let verdicts = check::judge(&found.scenario, plan, &history);
    let json = serde_json::to_string_pretty(&verdicts).map_err(|error| error.to_string())?;
    write(&folder.join("verdicts.json"), &json)?;
    report.verdicts = Some(verdicts);
    report.lateness_p99_us = history.entries.iter().rev().find_map(|e| match &e.record {
        Record::End { lateness_p99_us, .. } => Some(*lateness_p99_us),
        _ => None,
    });
    let started = history.entries.iter().find_map(|e| match &e.record {
        Record::Start(start) => Some(start.started),
        _ => None,
    });
    let alone = RunReport::new(started.unwrap_or_default(), "", vec![report.clone()], &Redactor::new(&[]));
    let junit = report::junit::render(&alone).map_err(|error| error.to_string())?;
    write(&folder.join("junit.xml"), &junit)
}

pub(super) fn make_folder(reports: &Path, slug: &str, started: Timestamp, seed: u64) -> Result<PathBuf, String> {
    let stamp: String = started.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let folder = reports.join(slug).join(format!("{stamp}-seed{seed}"));
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(folder)
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn write_combined(reports: &Path, whole: &RunReport) -> std::io::Result<()> {
    std::fs::create_dir_all(reports)?;
    let junit = report::junit::render(whole).map_err(std::io::Error::other)?;
    std::fs::write(reports.join("junit.xml"), junit)?;
    std::fs::write(reports.join("summary.json"), report::json::render(whole))?;
    std::fs::write(reports.join("summary.md"), report::markdown::render(whole))
}

fn exit_of(whole: &RunReport) -> Exit {
    match report::exit_code(whole) {
        0 => Exit::Pass,
        1 => Exit::Fail,
        2 => Exit::Inconclusive,
        _ => Exit::Broken,
    }
}
