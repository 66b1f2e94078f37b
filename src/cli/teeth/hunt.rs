//! One defect, hunted by the scenarios: plainly, then under further seeds, then with a crash at one point after the other.
//!
//! Must not know: how it is told, which scenario is redundant.

use super::super::simulated::{self, Planned, RESTART_AFTER_MS, unspoilt};
use crate::{
    check::{
        self,
        anomaly::Anomaly,
        verdict::{Validity, Verdict},
    },
    drive::sim::{self, Crash, Point, Setup},
    plan::model::Plan,
    scenario::{classes, model::Scenario},
    service::Defect,
};
use std::collections::{BTreeMap, BTreeSet};

/// Crash points of one kind and one scenario that are tried for one defect, at most; spread over the run.
const MOST_OF_A_KIND: usize = 25;

/// Deliveries of a scenario that is small enough to be crashed again and again, though it does not cover the class.
const SMALL: usize = 60;

/// How long the hunt goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// The seed of the plain runs and of all secrets.
    pub(super) seed: u64,
    /// How many seeds, that one included.
    pub(super) seeds: u64,
    /// Runs with a crash for one defect, at most.
    pub(super) crashes: u64,
}

impl Effort {
    fn seeds(self) -> impl Iterator<Item = u64> {
        (0..self.seeds).map(move |n| self.seed.wrapping_add(n))
    }
}

/// A scenario with its plan, and how the sound service does on it.
pub(super) struct Ground<'f> {
    /// The scenario and its customers.
    pub(super) planned: Planned<'f>,
    /// Numbers of the bug classes that it covers.
    classes: BTreeSet<u32>,
    plan: Plan,
    /// One for each seed.
    sound: Vec<Validity>,
}

impl<'f> Ground<'f> {
    /// Plans the scenario and runs it on the sound service, under every seed.
    ///
    /// # Errors
    /// Why there is no plan.
    pub(super) fn new(planned: Planned<'f>, effort: Effort) -> Result<Self, String> {
        let scenario = &planned.found.scenario;
        let setup = simulated::setup(scenario, effort.seed, &[])?;
        let mut sound = Vec::new();
        for seed in effort.seeds() {
            let plan = planned.plan(seed)?;
            let ran = sim::run(&setup, &plan, None);
            sound.push(check::judge(scenario, &plan, &ran.history).validity());
        }
        let plan = planned.plan(effort.seed)?;
        let classes = scenario.covers.iter().filter_map(|text| classes::named(text)).collect();
        Ok(Self { planned, classes, plan, sound })
    }

    /// The scenario.
    pub(super) const fn scenario(&self) -> &'f Scenario {
        &self.planned.found.scenario
    }

    /// Whether it says that it covers the class of a defect.
    pub(super) fn covers(&self, defect: Defect) -> bool {
        self.classes.contains(&defect.class())
    }

    /// How often the sound service did so, over all seeds.
    pub(super) fn sound(&self, validity: Validity) -> u64 {
        self.sound.iter().filter(|found| **found == validity).count() as u64
    }

    /// Whether a failure under that seed is the defect's: the sound service does not fail there.
    fn tells(&self, nth_seed: usize) -> bool {
        self.sound.get(nth_seed).is_some_and(|validity| *validity != Validity::Fail)
    }
}

/// A criterion that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Its name.
    pub(super) criterion: String,
    /// What the judge calls it.
    pub(super) anomaly: Option<Anomaly>,
    /// Whether the whole run goes by that name.
    is_main: bool,
}

impl Failed {
    /// Whether the run is called what the defect does, and this is why.
    pub(super) fn is_rightly_named(&self, defect: Defect) -> bool {
        self.is_main && self.anomaly.is_some_and(|anomaly| anomaly.word() == defect.anomaly())
    }
}

/// In which kind of run a defect showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// As the scenario stands.
    Plain,
    /// Under another seed.
    Seed(u64),
    /// With a crash at that scheduling point.
    Crash {
        /// Its number in the run, from 1.
        at_point: u64,
        /// Its name.
        point: &'static str,
    },
}

/// What caught a defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Catch {
    /// Which scenario, by its place.
    pub(super) ground: usize,
    /// Which criterion failed.
    pub(super) failed: Failed,
    /// In which run.
    pub(super) how: How,
}

/// The hunt for one defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hunt {
    /// Which.
    pub(super) defect: Defect,
    /// What caught it first, under the right name if any did.
    pub(super) catch: Option<Catch>,
    /// Deliveries that were sent to it until then.
    pub(super) deliveries: u64,
    /// What failed in the plain runs, by the place of the scenario.
    pub(super) plain: BTreeMap<usize, Vec<Failed>>,
}

impl Hunt {
    /// Hunts until something catches the defect.
    ///
    /// # Errors
    /// Why a scenario cannot be run.
    pub(super) fn new(defect: Defect, grounds: &[Ground<'_>], effort: Effort) -> Result<Self, String> {
        let mut hunt = Self { defect, catch: None, deliveries: 0, plain: BTreeMap::new() };
        let order = order(defect, grounds);
        hunt.plainly(grounds, &order, effort)?;
        if hunt.catch.is_none() {
            hunt.under_seeds(grounds, &order, effort)?;
        }
        if hunt.catch.is_none() {
            hunt.crashing(grounds, &order, effort)?;
        }
        Ok(hunt)
    }

    /// What fails in the plain run of one scenario, without any effect on the hunt.
    ///
    /// # Errors
    /// Why it cannot be run.
    pub(super) fn try_plainly(defect: Defect, ground: &Ground<'_>, effort: Effort) -> Result<Vec<Failed>, String> {
        if !ground.tells(0) {
            return Ok(Vec::new());
        }
        let setup = simulated::setup(ground.scenario(), effort.seed, &[defect])?;
        Ok(run(&setup, ground.scenario(), &ground.plan, None).0)
    }

    /// Stops at the first failure under the right name; one under another name counts when there is no better.
    fn plainly(&mut self, grounds: &[Ground<'_>], order: &[usize], effort: Effort) -> Result<(), String> {
        for &place in order {
            let ground = &grounds[place];
            let setup = simulated::setup(ground.scenario(), effort.seed, &[self.defect])?;
            let (mut failed, deliveries) = run(&setup, ground.scenario(), &ground.plan, None);
            self.deliveries += deliveries;
            if !ground.tells(0) {
                failed.clear();
            }
            let done = self.caught(place, &failed, &How::Plain);
            self.plain.insert(place, failed);
            if done {
                break;
            }
        }
        Ok(())
    }

    fn under_seeds(&mut self, grounds: &[Ground<'_>], order: &[usize], effort: Effort) -> Result<(), String> {
        for (nth, seed) in effort.seeds().enumerate().skip(1) {
            for &place in order.iter().filter(|place| grounds[**place].tells(nth)) {
                let ground = &grounds[place];
                let setup = simulated::setup(ground.scenario(), effort.seed, &[self.defect])?;
                let (failed, deliveries) = run(&setup, ground.scenario(), &ground.planned.plan(seed)?, None);
                self.deliveries += deliveries;
                if self.caught(place, &failed, &How::Seed(seed)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Crashes are tried where the class is covered, then on what is small, until they are used up.
    fn crashing(&mut self, grounds: &[Ground<'_>], order: &[usize], effort: Effort) -> Result<(), String> {
        let mut left = effort.crashes;
        let suits = |ground: &Ground<'_>| {
            ground.tells(0) && (ground.covers(self.defect) || ground.plan.deliveries.len() <= SMALL)
        };
        let suitable: Vec<usize> = order.iter().copied().filter(|place| suits(&grounds[*place])).collect();
        for place in suitable {
            let ground = &grounds[place];
            let judged = unspoilt(ground.scenario());
            let setup = simulated::setup(ground.scenario(), effort.seed, &[self.defect])?;
            let sound = simulated::setup(ground.scenario(), effort.seed, &[])?;
            let points = sim::run(&setup, &ground.plan, None).points;
            for at in spread(&points) {
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                let crash = Crash { at_point: at as u64 + 1, restart_after_ms: RESTART_AFTER_MS };
                let (failed, deliveries) = run(&setup, &judged, &ground.plan, Some(crash));
                self.deliveries += deliveries;
                // What the sound service does not survive either shows nothing.
                if failed.is_empty() || !run(&sound, &judged, &ground.plan, Some(crash)).0.is_empty() {
                    continue;
                }
                let how = How::Crash { at_point: crash.at_point, point: points[at].name() };
                if self.caught(place, &failed, &how) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Keeps the best failure so far; true when there can be no better.
    fn caught(&mut self, ground: usize, failed: &[Failed], how: &How) -> bool {
        let right = failed.iter().find(|failed| failed.is_rightly_named(self.defect));
        if let Some(best) = right.or(failed.first()).filter(|_| right.is_some() || self.catch.is_none()) {
            self.catch = Some(Catch { ground, failed: best.clone(), how: how.clone() });
        }
        right.is_some()
    }
}

/// Places of the scenarios: those that cover the class first, and the small ones before the large.
fn order(defect: Defect, grounds: &[Ground<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..grounds.len()).collect();
    let burden = |ground: &Ground<'_>| (!ground.covers(defect), ground.plan.deliveries.len());
    order.sort_by_key(|place| burden(&grounds[*place]));
    order
}

/// Places of points of every kind, spread over the run.
fn spread(points: &[Point]) -> Vec<usize> {
    let mut kinds: BTreeMap<Point, Vec<usize>> = BTreeMap::new();
    for (place, point) in points.iter().enumerate() {
        kinds.entry(*point).or_default().push(place);
    }
    let some = |places: &Vec<usize>| -> Vec<usize> {
        places.iter().copied().step_by(places.len().div_ceil(MOST_OF_A_KIND).max(1)).collect()
    };
    let mut chosen: Vec<usize> = kinds.values().flat_map(some).collect();
    chosen.sort_unstable();
    chosen
}

/// One run: what failed, and how many deliveries were sent.
fn run(setup: &Setup, judged: &Scenario, plan: &Plan, crash: Option<Crash>) -> (Vec<Failed>, u64) {
    let ran = sim::run(setup, plan, crash);
    let verdicts = check::judge(judged, plan, &ran.history);
    let main = verdicts.anomaly();
    let failed = verdicts.verdicts.into_iter().filter(|verdict| verdict.validity == Validity::Fail);
    let failed =
        failed.map(|Verdict { criterion, anomaly, .. }| Failed { criterion, anomaly, is_main: anomaly == main });
    (failed.collect(), ran.history.attempts())
}
