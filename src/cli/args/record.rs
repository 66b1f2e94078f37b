//! What was typed after `record`, `scrub` and `import`.
//!
//! Must not know: files, the environment.

use clap::Args as ClapArgs;
use std::path::PathBuf;

/// `import`
#[derive(Clone, Debug, ClapArgs)]
pub struct ImportArgs {
    /// `/v1/events` list, JSON lines, `stripe listen --format JSON` output, HAR, Hookdeck, EventBridge or Event Grid export,
    /// captures of requests, single events, or a folder of them
    pub from: PathBuf,
    /// Folder to make: one file an event
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Exchange personal data (names, e-mails, addresses, card numbers, tokens) for made-up values
    #[arg(long)]
    pub scrub: bool,
    /// Accept events from live mode
    #[arg(long)]
    pub allow_livemode: bool,
}

/// `record`
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Example: hookdrill record --forward-to http://127.0.0.1:3000/webhooks/stripe --to my-story\n\
    and beside it: stripe listen --forward-to http://127.0.0.1:4243\n\
    Exit codes: 0 something was recorded, 2 nothing was, 3 bad usage, 4 port or disk failed.")]
pub struct RecordArgs {
    /// Address of the app. With a path every request goes there, without one each goes to its own path
    #[arg(long, value_name = "URL")]
    pub forward_to: String,
    /// Folder to make: one file an event, deliveries and answers beside them
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Address to listen on; only this machine unless --allow-remote
    #[arg(long, default_value = "127.0.0.1:4243")]
    pub listen: std::net::SocketAddr,
    /// Listen on an address that other machines reach, or forward to another machine
    #[arg(long)]
    pub allow_remote: bool,
    /// Longest wait for the app; `stripe listen` itself waits 30s
    #[arg(long, default_value = "28s", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub timeout: std::time::Duration,
    /// Variable that holds the signing secret, to say whether signatures are good; unset: they are not checked
    #[arg(long, default_value = "STRIPE_WEBHOOK_SECRET", value_name = "NAME")]
    pub secret_env: String,
    /// Keep the bytes as they come, with everybody's personal data in them
    #[arg(long)]
    pub no_scrub: bool,
    /// Accept events from live mode
    #[arg(long)]
    pub allow_livemode: bool,
    /// Only the address and the end
    #[arg(long)]
    pub quiet: bool,
}

/// `scrub`
#[derive(Clone, Debug, ClapArgs)]
pub struct ScrubArgs {
    /// Recording, or an export of events in any form that `import` reads
    pub path: PathBuf,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Accept events from live mode
    #[arg(long)]
    pub allow_livemode: bool,
}
