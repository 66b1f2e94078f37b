//! `--compare clean`: the criterion that holds a run against a clean delivery, added to what a scenario asks anyway.
//!
//! Must not know: how it is judged.

use super::{Failure, find::Found};
use crate::scenario::{
    criterion::{Bound, Criterion},
    model::Scenario,
};

/// Adds the criterion to a scenario that does not have it.
///
/// # Errors
/// [`Failure::Usage`] for a saved plan that was made without it: nobody lives through its stories without faults.
pub(super) fn add(found: &mut Found, ignored: &[String]) -> Result<(), Failure> {
    if found.plan.as_ref().is_some_and(|plan| plan.clean.is_none()) {
        return Err(Failure::Usage(format!(
            "{}: the plan has no clean part to compare with; run its scenario with --compare clean and take that plan",
            found.path.display()
        )));
    }
    add_to(&mut found.scenario, ignored);
    Ok(())
}

/// Adds the criterion, or the paths to the one that is there.
pub(super) fn add_to(scenario: &mut Scenario, ignored: &[String]) {
    let there = scenario.criteria.iter_mut().find_map(|criterion| match criterion {
        Criterion::DifferencesFromClean { ignore, .. } => Some(ignore),
        _ => None,
    });
    match there {
        Some(ignore) => {
            ignore.extend(ignored.iter().filter(|path| !ignore.contains(path)).cloned().collect::<Vec<_>>())
        }
        None => scenario
            .criteria
            .push(Criterion::DifferencesFromClean { bound: Bound::Exactly(0), ignore: ignored.to_vec() }),
    }
}
