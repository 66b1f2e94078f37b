//! What every simulated run of a scenario needs, whoever wants it run: its customers, its plans, the service in the world.
//!
//! Must not know: what the runs are for, where they are kept.

use super::{
    embedded::{self, EmbeddedSecrets},
    find::Found,
};
use crate::{
    drive::sim::Setup,
    plan::{compile::Cast, model::Plan},
    redact::Redactor,
    scenario::{criterion::Criterion, model::Scenario},
    service::Defect,
    time::Timestamp,
};
use std::collections::BTreeMap;

/// Payload epoch of simulated runs when none is named: 2026-01-01T00:00:00Z.
pub(super) const EPOCH_SECS: i64 = 1_767_225_600;

/// How long a process that was crashed everywhere stays dead.
pub(super) const RESTART_AFTER_MS: u64 = 200;

/// A scenario whose customers are known, ready to be planned under any seed.
pub(super) struct Planned<'f> {
    /// The scenario.
    pub(super) found: &'f Found,
    cast: Cast<'f>,
    epoch: Timestamp,
}

impl<'f> Planned<'f> {
    /// The customers of `cast_seed`.
    ///
    /// # Errors
    /// Why they cannot be made.
    pub(super) fn new(found: &'f Found, cast_seed: u64, epoch: Timestamp) -> Result<Self, String> {
        let cast = Cast::new(&found.scenario, cast_seed, epoch).map_err(|error| error.to_string())?;
        Ok(Self { found, cast, epoch })
    }

    /// The plan of `seed`, or the saved one.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(super) fn plan(&self, seed: u64) -> Result<Plan, String> {
        if let Some(plan) = &self.found.plan {
            return Ok(plan.clone());
        }
        self.cast.plan(seed, self.epoch).map_err(|error| error.to_string())
    }
}

/// The simulated world of a scenario, its service with these defects, its secrets those of `seed`.
///
/// # Errors
/// What is wrong with the way in which the service is asked.
pub(super) fn setup(scenario: &Scenario, seed: u64, defects: &[Defect]) -> Result<Setup, String> {
    let secrets = EmbeddedSecrets::new(seed);
    let target = embedded::target("http://simulated.invalid", &secrets, seed, scenario.doubles)
        .map_err(|error| error.to_string())?;
    let settings = embedded::settings(defects.iter().copied().collect(), scenario.doubles);
    let redactor = Redactor::new(&secrets.all().into_iter().chain(target.secrets.all()).collect::<Vec<_>>());
    let names: Vec<&str> = defects.iter().map(|defect| defect.name()).collect();
    let options = BTreeMap::from([("defects".to_owned(), names.join(" "))]);
    Ok(Setup::new(target, settings, scenario.simulation, options, redactor))
}

/// The scenario without what a crash may rightly change: how long things took, what a page showed meanwhile, what was
/// told of it (deliveries that a crash broke off are failures, and counted in the process alone), and whether a bad payload, which comes once, was answered.
pub(super) fn unspoilt(scenario: &Scenario) -> Scenario {
    let spoilt = |criterion: &Criterion| {
        matches!(
            criterion,
            Criterion::Activation { .. }
                | Criterion::AckLatency { .. }
                | Criterion::FailedVisits(_)
                | Criterion::UnsafeErrors(_)
                | Criterion::Alerts(_)
        )
    };
    let mut scenario = scenario.clone();
    scenario.criteria.retain(|criterion| !spoilt(criterion));
    scenario
}
