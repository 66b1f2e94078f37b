//! A stored run: its folder read back.

use super::{Failure, find};
use crate::{
    check,
    history::{file, file::History, record::Record},
    plan::model::{PLAN_VERSION, Plan},
    redact::Redactor,
    report::{RunReport, ScenarioReport},
    scenario::{load, model::Scenario},
    stripe::import::ImportOptions,
    time::Timestamp,
};
use std::path::Path;

/// What a run folder holds.
pub(crate) struct Stored {
    pub(crate) scenario: Scenario,
    pub(crate) plan: Plan,
    pub(crate) history: History,
}

impl Stored {
    /// Reads `scenario.toml`, `plan.json` and `history.jsonl`.
    pub(crate) fn read(run: &Path, fixtures: &Path) -> Result<Self, Failure> {
        let usage = |what: String| Failure::Usage(what);
        let plan_path = run.join("plan.json");
        let text = std::fs::read_to_string(&plan_path).map_err(|error| {
            usage(format!("{}: {error}; name the folder of one run, as reports/<scenario>/<run>", plan_path.display()))
        })?;
        let plan: Plan =
            serde_json::from_str(&text).map_err(|error| usage(format!("{}: {error}", plan_path.display())))?;
        if plan.version != PLAN_VERSION {
            return Err(usage(format!(
                "{}: format version {}, this hookdrill reads {PLAN_VERSION}",
                plan_path.display(),
                plan.version
            )));
        }
        let options = ImportOptions { allow_livemode: true };
        let scenario_path = run.join("scenario.toml");
        let scenario = if std::fs::metadata(&scenario_path).is_ok_and(|m| m.len() > 0) {
            load::load(&scenario_path, &[fixtures.to_owned()], options).map_err(|error| usage(error.to_string()))?
        } else {
            find::plain(plan.scenario.clone(), String::new(), Vec::new())
        };
        let history = file::read(&run.join("history.jsonl")).map_err(|error| usage(error.to_string()))?;
        Ok(Self { scenario, plan, history })
    }

    /// The same as a run of one scenario.
    pub(crate) fn whole(&self, run: &Path) -> RunReport {
        let start = self.history.entries.iter().find_map(|e| match &e.record {
            Record::Start(start) => Some((start.started, start.target.as_str())),
            _ => None,
        });
        let (started, target) = start.unwrap_or((Timestamp::default(), "unknown"));
        RunReport::new(started, target, vec![self.report(run)], &Redactor::new(&[]))
    }

    /// Judges it and puts it as a report.
    pub(crate) fn report(&self, run: &Path) -> ScenarioReport {
        let duration_ms = self.history.entries.last().map_or(0, |e| e.at_ms);
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
            deliveries: self.plan.deliveries.len() as u64,
            attempts: self.history.entries.iter().filter(|e| matches!(e.record, Record::Attempt(_))).count() as u64,
            customers: self.plan.instances.iter().filter(|i| !i.ghost && i.continues.is_none()).count() as u64,
            again: format!("hookdrill check {}", run.display()),
            notes: Vec::new(),
        }
    }
}
