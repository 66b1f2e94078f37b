//! What was typed after `audit`.
//!
//! Must not know: files, the environment.

use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// `audit`
#[derive(Clone, Debug, ClapArgs)]
#[command(
    after_help = "Exit codes: 0 all agree, 1 something disagrees, 2 something was not compared, 3 bad usage, export or \
    project file, 4 a side does not answer."
)]
pub struct AuditArgs {
    /// Base URL of a running `hookdrill serve`
    #[arg(long, default_value = "http://127.0.0.1:4242", value_name = "URL", conflicts_with = "events")]
    pub url: String,
    /// Compare every customer now, and wait for it
    #[arg(long, conflicts_with = "events")]
    pub now: bool,
    /// Longest wait for a comparison that was asked for
    #[arg(long, default_value = "2m", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub within: std::time::Duration,
    /// Compare your app instead: an export of Stripe's events, in any form that `import` reads
    #[arg(long, value_name = "PATH")]
    pub events: Option<PathBuf>,
    /// Project file whose `[probe.customer]` (and `[probe.event]`) reads what the app holds
    #[arg(long, value_name = "FILE", requires = "events")]
    pub target: Option<PathBuf>,
    /// What the CRM holds: an export (CSV or JSON with an e-mail), or the URL of a double's ledger
    #[arg(long, value_name = "FILE|URL", requires = "events")]
    pub crm: Option<String>,
    /// What the support desk holds: an export (CSV or JSON with an e-mail), or the URL of a double's ledger
    #[arg(long, value_name = "FILE|URL", requires = "events")]
    pub desk: Option<String>,
    /// Type of events for each of whose objects a ticket is due, like invoice.payment_failed; may be given several times
    #[arg(long, value_name = "TYPE", requires = "desk")]
    pub ticket_for: Vec<String>,
    /// Type of events that the app must have stored, every one; may be given several times (default: the types of which it has
    /// stored any)
    #[arg(long, value_name = "TYPE", requires = "target")]
    pub event_type: Vec<String>,
    /// Nobody has more than one subscription: one that ended in the export was the only one
    #[arg(long, requires = "events")]
    pub one_subscription: bool,
    /// Whether a failed payment keeps access while Stripe tries again
    #[arg(long, value_enum, default_value_t = PastDue::Keeps, requires = "events")]
    pub past_due: PastDue,
    /// When the export was made, Unix seconds (default: when its newest file was written)
    #[arg(long, value_name = "UNIX", requires = "events")]
    pub exported_at: Option<i64>,
    /// How long an event may take to have its effect
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub settle: std::time::Duration,
    /// How old the export may be: what disagrees with an older one is not counted
    #[arg(long, default_value = "1h", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub fresh: std::time::Duration,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a failed payment does to access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PastDue {
    /// It stays.
    Keeps,
    /// It goes.
    Revokes,
}
