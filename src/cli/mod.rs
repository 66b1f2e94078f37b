//! The command line: what was typed, one file a subcommand, exit codes. The environment is read here and handed on.
//!
//! Must not know: domain rules.

pub mod args;
pub mod audit;
pub mod check;
mod compare;
mod declared;
pub mod doctor;
pub mod embedded;
pub mod exit;
pub mod find;
mod gate;
pub mod import;
pub mod lighthouse;
pub mod lint;
mod measure;
pub mod mocks;
mod output;
pub mod plan;
pub mod record;
pub mod report;
pub mod run;
pub mod schema;
pub mod scrub;
pub mod secrets;
pub mod serve;
pub mod shell;
pub mod shim;
mod shipped;
pub mod signature;
pub mod simulate;
mod simulated;
pub mod start;
mod started;
mod stored;
pub mod teeth;
mod voice;

use crate::drive::project::{self, Project, Surroundings};
use args::{Args, Command};
use clap::Parser;
use exit::Exit;

/// Parses the command line, does what it says, and gives the exit code.
pub fn main() -> std::process::ExitCode {
    exit::catching_panics(|| {
        // The way out for bugs must itself be tested, and a bug to test it with is not to be had otherwise.
        if let Some(why) = environment("HOOKDRILL_PANIC") {
            panic!("{why}");
        }
        let args = match Args::try_parse() {
            Ok(args) => args,
            Err(error) => return exit::of_clap(&error),
        };
        let done = match args.command {
            Command::Run(options) => run::run(&options),
            Command::Plan(options) => plan::plan(&options),
            Command::Check(options) => check::check(&options),
            Command::Report(options) => report::report(&options),
            Command::Lint(options) => lint::lint(&options),
            Command::Import(options) => import::import(&options),
            Command::Record(options) => record::record(&options),
            Command::Scrub(options) => scrub::scrub(&options),
            Command::Signature(options) => signature::signature(&options),
            Command::Serve(options) => serve::serve(&options),
            Command::Audit(options) => audit::audit(&options),
            Command::Doctor(options) => doctor::doctor(&options),
            Command::Secrets(options) => secrets::secrets(&options),
            Command::Lighthouse(options) => lighthouse::lighthouse(&options),
            Command::Mocks(options) => mocks::mocks(&options),
            Command::Shim(options) => shim::shim(&options),
            Command::Init(options) => start::init(&options),
            Command::Schema(options) => schema::schema(&options),
            Command::Completions(options) => shell::completions(&options),
            Command::Man => shell::man(),
            Command::Teeth(options) => teeth::teeth(&options),
            Command::Keep => {
                crate::drive::process::keeper::keep(std::io::stdin().lock());
                Ok(Exit::Pass)
            }
        };
        done.unwrap_or_else(|failure| {
            eprintln!("hookdrill: {failure}");
            if voice::on_github() {
                eprint!("{}", crate::report::annotations::github_failure(&failure.to_string()));
            }
            failure.exit()
        })
    })
}

/// Reads one environment variable; nowhere else is the environment read.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a variable is there but holds nothing: a secret that somebody meant to set.
#[expect(clippy::disallowed_methods, reason = "the environment is read in this file alone")]
pub(crate) fn is_set_to_nothing(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| value.to_string_lossy().trim().is_empty())
}

/// Reads a project file with what the environment has.
pub(crate) fn project_file(path: &std::path::Path, seed: u64) -> Result<Project, Failure> {
    let surroundings = Surroundings { variable: &environment, own: own_variables(), seed };
    project::load(path, &surroundings).map_err(|error| Failure::Usage(error.to_string()))
}

/// Variables that are hookdrill's own, secrets among them: an app that it starts does not get them.
fn own_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("HOOKDRILL_")).collect()
}

/// Values of the environment that look like secrets by their names: an app inherits them, and may print them.
pub(crate) fn inherited_secrets() -> Vec<String> {
    let secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "PRIVATE_KEY"].iter().any(|word| name.contains(word))
    };
    let all =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    all.filter(|(name, value)| secret(name) && value.len() >= 8).map(|(_, value)| value).collect()
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The person can mend it: bad usage, scenario, recording. Nothing was sent.
    #[error("{0}")]
    Usage(String),
    /// The run broke.
    #[error("{0}")]
    Broken(String),
}

impl Failure {
    const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Broken(_) => Exit::Broken,
        }
    }
}
