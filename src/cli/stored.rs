//! A stored run: its folder read back.

use super::{
    Failure,
    find::{self, Found},
};
use crate::{
    check,
    history::{
        file,
        file::History,
        record::{Record, Start},
    },
    plan::model::{PLAN_VERSION, Plan},
    redact::Redactor,
    report::{RunReport, ScenarioReport},
    scenario::{
        model::{Doubles, Scenario},
        stored::parse_stored,
    },
    time::Timestamp,
};
use std::{collections::BTreeMap, path::Path};

/// Option of a history: which criteria the target could not be asked for, each as `name#place`.
pub(crate) const NOT_JUDGED: &str = "not_judged";

/// What a run folder holds.
pub(crate) struct Stored {
    pub(crate) scenario: Scenario,
    pub(crate) plan: Plan,
    pub(crate) history: History,
}

impl Stored {
    /// Reads `scenario.toml`, `plan.json` and `history.jsonl`.
    pub(crate) fn read(run: &Path) -> Result<Self, Failure> {
        let usage = |what: String| Failure::Usage(what);
        let plan = read_plan(&run.join("plan.json"))?;
        let mut scenario = scenario(run, &plan)?;
        let history = file::read(&run.join("history.jsonl")).map_err(|error| usage(format!("failed to {error}")))?;
        let left_out = left_out(&history);
        let mut at = 0..;
        scenario.criteria.retain(|_| at.next().is_none_or(|at| !left_out.contains_key(&at)));
        same_run(run, &plan, &scenario, &history)?;
        Ok(Self { scenario, plan, history })
    }

    /// The same as a run of one scenario.
    pub(crate) fn whole(&self, run: &Path) -> RunReport {
        let start = start(&self.history).map(|start| (start.started, start.target.as_str()));
        let (started, target) = start.unwrap_or((Timestamp::default(), "unknown"));
        RunReport::new(started, target, vec![self.report(run)], &Redactor::new(&[]))
    }

    /// Judges it and puts it as a report.
    pub(crate) fn report(&self, run: &Path) -> ScenarioReport {
        let duration_ms = self.history.entries.last().map_or(0, |e| e.at_ms);
        let start = start(&self.history).map(|start| start.body.as_str());
        ScenarioReport {
            name: self.scenario.name.clone(),
            slug: self.scenario.slug.clone(),
            about: self.scenario.about.clone(),
            covers: self.scenario.covers.clone(),
            seed: self.plan.seed,
            verdicts: Some(check::judge(&self.scenario, &self.plan, &self.history)),
            broken: None,
            folder: run.display().to_string(),
            duration_ms,
            simulated: start.is_some_and(|body| body == "simulated"),
            deliveries: self.plan.deliveries.len() as u64,
            attempts: self.history.attempts(),
            customers: self.plan.customers(),
            again: format!("hookdrill check {}", run.display()),
            notes: Vec::new(),
            not_judged: left_out(&self.history)
                .into_values()
                .map(|name| format!("{name} (the target could not be asked for it)"))
                .collect(),
            ..ScenarioReport::default()
        }
    }
}

/// What a history says of its run, when it was written so far.
fn start(history: &History) -> Option<&Start> {
    history.entries.iter().find_map(|entry| match &entry.record {
        Record::Start(start) => Some(start),
        _ => None,
    })
}

/// The criteria that the target could not be asked for when it ran: their places and names.
fn left_out(history: &History) -> BTreeMap<usize, String> {
    let start = start(history).and_then(|start| start.options.get(NOT_JUDGED));
    let one = |word: &str| {
        let (name, at) = word.split_once('#')?;
        Some((at.parse().ok()?, name.to_owned()))
    };
    start.map_or("", String::as_str).split(' ').filter_map(one).collect()
}

/// Files of different runs say nothing together.
fn same_run(run: &Path, plan: &Plan, scenario: &Scenario, history: &History) -> Result<(), Failure> {
    let other = |file: &str, of: &str| {
        Err(Failure::Usage(format!(
            "{}: {file} is of {of}, plan.json of `{}` with seed {}; name a folder as a run left it",
            run.display(),
            plan.scenario,
            plan.seed
        )))
    };
    if scenario.name != plan.scenario {
        return other("scenario.toml", &format!("`{}`", scenario.name));
    }
    match history.entries.first().map(|entry| &entry.record) {
        Some(Record::Start(start)) if start.scenario != plan.scenario || start.seed != plan.seed => {
            other("history.jsonl", &format!("`{}` with seed {}", start.scenario, start.seed))
        }
        _ => Ok(()),
    }
}

/// What the run was judged by. Its recordings are not looked for: they may be gone, and the plan holds what was sent.
fn scenario(run: &Path, plan: &Plan) -> Result<Scenario, Failure> {
    let path = run.join("scenario.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::Usage(format!("{}: {error}; without it nobody knows what was to hold", path.display()))
    })?;
    // Empty for a run of a bare recording, which has no scenario of its own.
    let mut scenario = find::plain(plan.scenario.clone(), String::new(), Vec::new());
    if !text.is_empty() {
        let stored = parse_stored(&text, &path, &plan.scenario).map_err(|error| Failure::Usage(error.to_string()))?;
        scenario.name = stored.name;
        (scenario.about, scenario.covers, scenario.criteria) = (stored.about, stored.covers, stored.criteria);
    }
    if let Some(clean) = &plan.clean {
        super::compare::add_to(&mut scenario, &clean.ignored);
    }
    if scenario.criteria.is_empty() {
        let what = "there is no [[criterion]], and the plan has no clean part: nothing would be shown";
        return Err(Failure::Usage(format!("{}: {what}", path.display())));
    }
    // `reports/<scenario>/<run>`: the name under which the run itself was reported.
    let folder = run.canonicalize().unwrap_or_else(|_| run.to_owned());
    let of_run =
        folder.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&format!("-seed{}", plan.seed)));
    if let Some(above) = folder.parent().and_then(Path::file_name).filter(|_| of_run) {
        scenario.slug = above.to_string_lossy().into_owned();
    }
    Ok(scenario)
}

/// A saved plan, to be carried out again. What it is judged by stands beside it, or is the least that can be asked.
///
/// # Errors
/// [`Failure::Usage`] when it cannot be read, or the scenario beside it is of another run.
pub(crate) fn planned(path: &Path) -> Result<Found, Failure> {
    let plan = read_plan(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = folder.join("scenario.toml");
    let text = std::fs::read_to_string(&beside).unwrap_or_default();
    let about = "A saved plan, carried out again.".to_owned();
    let mut judged = find::plain(plan.scenario.clone(), about, Vec::new());
    if !text.is_empty() {
        judged = scenario(folder, &plan)?;
        if judged.name != plan.scenario {
            let what = format!("{}: is of `{}`, the plan of `{}`", beside.display(), judged.name, plan.scenario);
            return Err(Failure::Usage(what));
        }
    }
    if let Some(clean) = &plan.clean {
        super::compare::add_to(&mut judged, &clean.ignored);
    }
    judged.doubles = Doubles { stripe: plan.stripe.is_some(), alerts: plan.alerts };
    judged.declared.clone_from(&plan.declared);
    let text = Some(text).filter(|text| !text.is_empty());
    Ok(Found {
        scenario: judged,
        text,
        path: path.to_owned(),
        several: false,
        named: true,
        strict: true,
        not_judged: Vec::new(),
        plan: Some(plan),
    })
}

fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let usage = |what: String| Failure::Usage(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| {
        usage(format!("{error}; name the folder of one run, as reports/<scenario>/<run>, or its plan.json"))
    })?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| usage(error.to_string()))?;
    if plan.version != PLAN_VERSION {
        return Err(usage(format!("format version {}, this hookdrill reads {PLAN_VERSION}", plan.version)));
    }
    let mut all = plan.deliveries.iter().chain(plan.clean_part().deliveries);
    let missing = all.find(|delivery| !plan.bodies.contains_key(&delivery.body));
    match missing {
        Some(delivery) => Err(usage(format!("the body of {} is not in it", delivery.id))),
        None => Ok(plan),
    }
}
