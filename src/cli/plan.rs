//! `hookdrill plan`: what would be sent, and when. Sends nothing.

use super::{Failure, args::PlanArgs, exit::Exit, find, voice::print};
use crate::{
    plan::{compile::compile, text::timeline},
    scenario::load::Criteria,
    time::Timestamp,
};

/// Compiles and prints.
///
/// # Errors
/// [`Failure::Usage`] when the scenario is not valid.
pub fn plan(args: &PlanArgs) -> Result<Exit, Failure> {
    let options = args.recordings.options();
    let found =
        find::scenarios(std::slice::from_ref(&args.path), &args.recordings.fixtures, options, Criteria::Optional)?;
    for f in &found {
        let plan = compile(&f.scenario, args.seed, Timestamp::from_secs(args.epoch))
            .map_err(|error| Failure::Usage(format!("{}: {error}", f.path.display())))?;
        let text = if args.json {
            serde_json::to_string_pretty(&plan).map_err(|error| Failure::Broken(error.to_string()))? + "\n"
        } else {
            timeline(&plan)
        };
        print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    }
    Ok(Exit::Pass)
}
