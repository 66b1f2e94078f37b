//! What was typed after `hookdrill doctor`.
//!
//! Must not know: files, the environment.

use clap::Args as ClapArgs;
use std::{path::PathBuf, time::Duration};

/// `doctor`
#[derive(Clone, Debug, ClapArgs)]
#[command(
    after_help = "Exit codes: 0 nothing found that loses events (warnings are listed), 1 something found, 2 nothing found but \
    not everything could be judged (no secret was given, or answers were missing), 3 bad usage, 4 the endpoint is not reachable. \
    All events that are sent are made up: a type or ids that nobody has, livemode false."
)]
pub struct DoctorArgs {
    /// The webhook's URL (default: that of --target)
    #[arg(required_unless_present = "target")]
    pub url: Option<String>,
    /// Project file that describes your app: its webhook, secret and allowed hosts are taken; its commands are started
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "secret_env"])]
    pub target: Option<PathBuf>,
    /// Variable that holds the endpoint's signing secret (default: STRIPE_WEBHOOK_SECRET when it is set); without a secret only what
    /// needs none is judged
    #[arg(long, value_name = "NAME")]
    pub secret_env: Option<String>,
    /// A host besides this machine that may be asked; may be given several times
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// A variable that the app needs; looked up in the environment, or in the --env-file. May be given several times
    #[arg(long, value_name = "NAME")]
    pub expect_env: Vec<String>,
    /// File of the app's variables, one NAME=value a line (.env); only names are used
    #[arg(long, value_name = "FILE", requires = "expect_env")]
    pub env_file: Option<PathBuf>,
    /// The health endpoint, a path or a URL of the same host (default: the usual paths are tried, and a missing one is only a note)
    #[arg(long, value_name = "PATH")]
    pub health: Option<String>,
    /// An event type that the app takes, for apps that refuse all others (its ids are made up)
    #[arg(long, value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Authorities to trust besides the public ones (PEM); Stripe never trusts them
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Longest wait for one answer
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub timeout: Duration,
    /// Write the findings as a page to hand on (HTML, nothing is loaded, secrets taken out)
    #[arg(long, value_name = "FILE")]
    pub handover: Option<PathBuf>,
    /// Exit 1 for warnings too
    #[arg(long)]
    pub strict: bool,
    /// The diagnosis as JSON
    #[arg(long)]
    pub json: bool,
}
