//! `hookdrill run --simulate`: one run in virtual time, many seeds of it, or a crash at every scheduling point.
//!
//! Must not know: how the simulated world works.

use super::{
    args::RunArgs,
    find::Found,
    run::{blank, judge, make_folder, write},
    simulated::{self, EPOCH_SECS, Planned, RESTART_AFTER_MS, unspoilt},
    voice::Voice,
};
use crate::{
    check::{
        self,
        verdict::{Validity, Verdicts},
    },
    drive::{
        clock::RunClock,
        sim::{self, Crash, Point, Ran, Setup},
    },
    history::file,
    plan::model::{Kill, KillAt, Plan},
    report::{PointTally, ScenarioReport, Tally},
    service::Defect,
    time::Timestamp,
};
use std::collections::BTreeMap;

/// Run folders that one scenario leaves under many seeds, at most: the first failures tell what there is to know.
const MOST_FOLDERS: u64 = 10;

/// Millisecond 0 of a simulated run.
pub(super) fn epoch(args: &RunArgs) -> Timestamp {
    Timestamp::from_secs(args.epoch.unwrap_or(EPOCH_SECS))
}

/// Runs one scenario as the arguments ask; whatever breaks becomes part of its report.
pub(super) fn scenario(args: &RunArgs, found: &Found, say: &Voice) -> ScenarioReport {
    let mut report = blank(args, found);
    let done = Simulated::new(args, found).and_then(|simulated| match args.seeds {
        Some(seeds) => simulated.seeds(seeds, &mut report, say),
        None if args.crash_everywhere => simulated.crash_everywhere(&mut report, say),
        None => simulated.once(&mut report),
    });
    report.broken = done.err();
    report
}

struct Simulated<'a> {
    args: &'a RunArgs,
    found: &'a Found,
    setup: Setup,
    planned: Planned<'a>,
}

impl<'a> Simulated<'a> {
    fn new(args: &'a RunArgs, found: &'a Found) -> Result<Self, String> {
        let defects: Vec<Defect> = args.defect.iter().filter_map(|name| Defect::named(name)).collect();
        let setup = simulated::setup(&found.scenario, args.seed, &defects)?;
        let planned = Planned::new(found, args.cast_seed.unwrap_or(args.seed), epoch(args))?;
        Ok(Self { args, found, setup, planned })
    }

    fn plan(&self, seed: u64) -> Result<Plan, String> {
        self.planned.plan(seed)
    }

    fn once(&self, report: &mut ScenarioReport) -> Result<(), String> {
        let plan = self.plan(self.args.seed)?;
        let ran = sim::run(&self.setup, &plan, None);
        self.keep(&plan, &ran, report)
    }

    /// Writes the run folder, judges what stands in it, and fills the report.
    fn keep(&self, plan: &Plan, ran: &Ran, report: &mut ScenarioReport) -> Result<(), String> {
        let folder = make_folder(&self.args.reports, &self.found.scenario.slug, plan.epoch, plan.seed)?;
        let history = folder.join("history.jsonl");
        // The id of a simulated run follows from epoch and seed: the same run again takes the same place.
        match std::fs::remove_file(&history) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("cannot write {} anew: {error}", history.display()));
            }
            _ => {}
        }
        write(&folder.join("scenario.toml"), self.found.text.as_deref().unwrap_or_default())?;
        let json = serde_json::to_string_pretty(plan).map_err(|error| error.to_string())?;
        write(&folder.join("plan.json"), &json)?;
        let failed = |error: std::io::Error| format!("cannot write the history: {error}");
        let mut writer = file::Writer::create(&history).map_err(failed)?;
        for entry in &ran.history.entries {
            writer.append(entry.at_ms, entry.record.clone()).map_err(failed)?;
        }
        let below = folder.strip_prefix(&self.args.reports).unwrap_or(&folder);
        report.folder = below.display().to_string();
        report.simulated = true;
        report.duration_ms = ran.history.entries.last().map_or(0, |entry| entry.at_ms);
        judge(self.found, plan, &folder, report)
    }

    /// The report of runs that leave no folder.
    fn tell(plan: &Plan, ran: &Ran, verdicts: Verdicts, report: &mut ScenarioReport) {
        report.deliveries = plan.deliveries.len() as u64;
        report.customers = plan.customers();
        report.attempts = ran.history.attempts();
        report.simulated = true;
        report.duration_ms = ran.history.entries.last().map_or(0, |entry| entry.at_ms);
        report.verdicts = Some(verdicts);
    }

    fn seeds(&self, seeds: u64, report: &mut ScenarioReport, say: &Voice) -> Result<(), String> {
        let clock = RunClock::start();
        let mut tally = Tally::default();
        let cast_seed = self.args.cast_seed.unwrap_or(self.args.seed);
        for seed in (0..seeds).map(|n| self.args.seed.wrapping_add(n)) {
            let plan = self.plan(seed)?;
            let ran = sim::run(&self.setup, &plan, None);
            let verdicts = check::judge(&self.found.scenario, &plan, &ran.history);
            let passed = verdicts.validity() == Validity::Pass;
            tally.add(verdicts.validity());
            let not_passed = tally.tried - tally.passed();
            if !passed && not_passed <= MOST_FOLDERS {
                let mut failure = ScenarioReport { seed, ..report.clone() };
                self.keep(&plan, &ran, &mut failure)?;
                let again = format!("--seed {seed}");
                failure.again = report.again.replacen(&format!("--seed {}", self.args.seed), &again, 1);
                if self.args.cast_seed.is_none() {
                    failure.again.push_str(&format!(" --cast-seed {cast_seed}"));
                }
                failure.notes.push(format!("seed {seed}: {}", failure.folder));
                let notes = std::mem::take(&mut report.notes);
                if not_passed == 1 {
                    *report = failure;
                } else {
                    report.notes = notes.into_iter().chain(failure.notes.pop()).collect();
                }
            } else if passed && not_passed == 0 && tally.tried == seeds {
                Self::tell(&plan, &ran, verdicts, report);
            }
        }
        report.seeds = Some(tally);
        let us = clock.now_us().max(1);
        let Tally { tried, .. } = tally;
        let words = tally.words();
        say.progress(&format!(
            "{tried} seeds, {words}, {} runs a second on one core: ",
            u128::from(tried) * 1_000_000 / u128::from(us)
        ));
        Ok(())
    }

    fn crash_everywhere(&self, report: &mut ScenarioReport, say: &Voice) -> Result<(), String> {
        if self.found.scenario.delivery.retry.waits.is_empty() {
            let why = "not crashed: nothing is tried again here, so the sender itself loses what a crash breaks off";
            report.notes.push(why.to_owned());
            return self.once(report);
        }
        let plan = self.plan(self.args.seed)?;
        let whole = sim::run(&self.setup, &plan, None);
        let judged = unspoilt(&self.found.scenario);
        let mut tallies: BTreeMap<Point, Tally> = BTreeMap::new();
        let (mut worst, mut first_failure) = (Validity::Pass, None);
        for (place, point) in whole.points.iter().enumerate() {
            let crash = Crash { at_point: place as u64 + 1, restart_after_ms: RESTART_AFTER_MS };
            let ran = sim::run(&self.setup, &plan, Some(crash));
            let validity = check::judge(&judged, &plan, &ran.history).validity();
            tallies.entry(*point).or_default().add(validity);
            // A failure tells more than a run that showed too little.
            if validity > worst {
                (worst, first_failure) = (validity, Some((crash, ran)));
            }
        }
        let named = |(point, tally): (Point, Tally)| PointTally { point: point.name().to_owned(), tally };
        report.crashed_at = tallies.into_iter().map(named).collect();
        say.progress(&format!("crashed at {} points: ", whole.points.len()));
        let left_out = self.found.scenario.criteria.len() - judged.criteria.len();
        if left_out > 0 {
            report.notes.push(format!(
                "criteria of time, visits and answers to bad payloads are not judged under a crash ({left_out} here)"
            ));
        }
        match first_failure {
            None => {
                let verdicts = check::judge(&judged, &plan, &whole.history);
                Self::tell(&plan, &whole, verdicts, report);
            }
            Some((Crash { at_point, restart_after_ms }, ran)) => {
                let mut crashed = plan;
                crashed.kills.push(Kill { at: KillAt::AtPoint(at_point), restart_after_ms, lot: None });
                self.keep(&crashed, &ran, report)?;
                report.verdicts = Some(check::judge(&judged, &crashed, &ran.history));
                report.notes.push(format!("shown: the run that crashed at scheduling point {at_point}"));
            }
        }
        Ok(())
    }
}
