//! `hookdrill teeth`: scenarios against the embedded service with each of its deliberate defects, in virtual time. Whatever
//! nothing notices, the suite would miss in a user's service too.
//!
//! Must not know: how a defect works, which scenario should catch it.

mod hunt;
mod parallel;
mod redundant;
mod told;

use self::{
    hunt::{Effort, Failed, Ground, Hunt},
    redundant::{Caught, Redundancy},
    told::Told,
};
use super::{
    Failure,
    args::TeethArgs,
    exit::Exit,
    find::{self, Found},
    run::wanted,
    serve,
    simulated::{EPOCH_SECS, Planned},
    voice::print,
};
use crate::{
    check::verdict::Validity, drive::clock::RunClock, scenario::load::Criteria, scenario::model::Body, service::Defect,
    time::Timestamp,
};
use std::collections::BTreeSet;

/// Defects that no simulated run can show, and what shows them instead.
const OUT_OF_REACH: &[(Defect, &str)] = &[(
    Defect::CommitNotSynced,
    "a simulated machine never loses its power; a trace of the live service's system calls shows it (`cargo test synced`)",
)];

/// Why no simulated run can show a defect, when none can.
fn out_of_reach(defect: Defect) -> Option<&'static str> {
    OUT_OF_REACH.iter().find(|(known, _)| *known == defect).map(|(_, why)| *why)
}

/// How the sound service did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sound {
    runs: u64,
    failed: u64,
    inconclusive: u64,
}

/// Hunts every defect with the scenarios that the arguments name.
///
/// # Errors
/// [`Failure::Usage`] when a scenario is not valid, a defect has no such name, or nothing can be simulated.
pub fn teeth(args: &TeethArgs) -> Result<Exit, Failure> {
    let clock = RunClock::start();
    let options = args.recordings.options();
    let mut found = find::scenarios(&args.paths, &args.recordings.fixtures, options, Criteria::Needed)?;
    found.retain(|f| wanted(&args.filter, &f.scenario));
    super::declared::runnable(&found, None)?;
    let chosen = chosen(args)?;
    let (beyond, defects): (Vec<Defect>, _) = chosen.into_iter().partition(|d| out_of_reach(*d).is_some());
    if let (true, Some(why)) = (defects.is_empty(), beyond.first().and_then(|defect| out_of_reach(*defect))) {
        return Err(Failure::Usage(format!("there is nothing to hunt: {why}")));
    }
    let effort = Effort { seed: args.seed, seeds: args.seeds, crashes: args.crashes };
    let (grounds, places) = grounds(&found, effort)?;
    let sound = sound(&grounds);
    let hunts = parallel::each(&defects, |defect| Hunt::new(*defect, &grounds, effort));
    let hunts: Vec<Hunt> = hunts.into_iter().collect::<Result<_, _>>().map_err(Failure::Usage)?;
    let redundancy = match args.quick {
        true => None,
        false => Some(redundancy(&found, &grounds, &places, &hunts, effort)?),
    };
    let live: Vec<&Found> = found.iter().filter(|f| matches!(f.scenario.body, Body::Live { .. })).collect();
    let told =
        Told { grounds: &grounds, hunts: &hunts, beyond: &beyond, sound, redundancy: redundancy.as_ref(), live: &live };
    let text = if args.json { told.json() } else { told.text(clock.now_ms()) };
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    let caught =
        |hunt: &Hunt| hunt.catch.as_ref().is_some_and(|c| !args.strict || c.failed.is_rightly_named(hunt.defect));
    let useful = !args.strict || redundancy.is_none_or(|found| found.redundant.is_empty() && found.unproven.is_empty());
    Ok(if hunts.iter().all(caught) && sound.failed == 0 && useful { Exit::Pass } else { Exit::Fail })
}

/// The defects that were asked for, by class.
fn chosen(args: &TeethArgs) -> Result<Vec<Defect>, Failure> {
    if args.defect.is_empty() {
        return Ok(Defect::all().to_vec());
    }
    let chosen: BTreeSet<Defect> = args.defect.iter().map(|name| serve::defect(name)).collect::<Result<_, _>>()?;
    Ok(chosen.into_iter().collect())
}

/// The scenarios that can be simulated, tried on the sound service; and the place of each in `found`.
fn grounds(found: &[Found], effort: Effort) -> Result<(Vec<Ground<'_>>, Vec<usize>), Failure> {
    let simulated = |(_, f): &(usize, &Found)| !matches!(f.scenario.body, Body::Live { .. });
    let chosen: Vec<(usize, &Found)> = found.iter().enumerate().filter(simulated).collect();
    if chosen.is_empty() {
        let what = if found.is_empty() { "no scenario matches" } else { "these scenarios run over real sockets only" };
        return Err(Failure::Usage(format!("nothing can be simulated: {what}")));
    }
    let made = parallel::each(&chosen, |(_, f)| {
        let planned = Planned::new(f, effort.seed, Timestamp::from_secs(EPOCH_SECS));
        planned.and_then(|planned| Ground::new(planned, effort)).map_err(|why| format!("{}: {why}", f.path.display()))
    });
    let grounds = made.into_iter().collect::<Result<_, _>>().map_err(Failure::Usage)?;
    Ok((grounds, chosen.into_iter().map(|(place, _)| place).collect()))
}

fn sound(grounds: &[Ground<'_>]) -> Sound {
    let sum = |validity| grounds.iter().map(|ground| ground.sound(validity)).sum();
    let (failed, inconclusive) = (sum(Validity::Fail), sum(Validity::Inconclusive));
    Sound { runs: sum(Validity::Pass) + failed + inconclusive, failed, inconclusive }
}

/// Runs what the hunts have left out, so that each plain run of each defect is known; then sorts the scenarios out.
fn redundancy(
    found: &[Found],
    grounds: &[Ground<'_>],
    places: &[usize],
    hunts: &[Hunt],
    effort: Effort,
) -> Result<Redundancy, Failure> {
    let pairs = |hunt: &'_ Hunt| (0..grounds.len()).filter(|place| !hunt.plain.contains_key(place)).collect::<Vec<_>>();
    let left: Vec<(Defect, usize)> =
        hunts.iter().flat_map(|hunt| pairs(hunt).into_iter().map(|place| (hunt.defect, place))).collect();
    let tried = parallel::each(&left, |(defect, place)| Hunt::try_plainly(*defect, &grounds[*place], effort));
    let mut caught = Caught::new();
    let mut add = |defect: Defect, place: usize, failed: &[Failed]| {
        if failed.iter().any(|failed| failed.is_rightly_named(defect)) {
            caught.entry(places[place]).or_default().insert(defect);
        }
    };
    for ((defect, place), failed) in left.iter().zip(tried) {
        add(*defect, *place, &failed.map_err(Failure::Usage)?);
    }
    for hunt in hunts {
        hunt.plain.iter().for_each(|(place, failed)| add(hunt.defect, *place, failed));
        // What only a crash or another seed shows is shown by that scenario.
        if let Some(catch) = &hunt.catch {
            add(hunt.defect, catch.ground, std::slice::from_ref(&catch.failed));
        }
    }
    let hunted: Vec<Defect> = hunts.iter().map(|hunt| hunt.defect).collect();
    let unproven = redundant::unproven(found, &caught, &hunted);
    Ok(Redundancy { unproven, ..redundant::redundancy(found, &caught) })
}
