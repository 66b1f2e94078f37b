//! What was typed after `hookdrill secrets` and `hookdrill lighthouse`.
//!
//! Must not know: files, the environment.

use clap::Args as ClapArgs;
use std::{path::PathBuf, time::Duration};

/// `secrets`
#[derive(Clone, Debug, ClapArgs)]
#[command(
    after_help = "Exit codes: 0 nothing found, 1 a secret was found, 2 nothing found but a file could not be read, 3 bad usage. \
    A line that holds `hookdrill:allow` is passed over."
)]
pub struct SecretsArgs {
    /// Files and folders: bundles, source maps, logs, reports. Links in them are not followed, .gz files are read through
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// A variable whose value must be in none of them, in whatever spelling (plain, hex, base64, percent); may be given several times
    #[arg(long, value_name = "NAME")]
    pub secret_env: Vec<String>,
    /// File of fingerprints (one a line, `#` for remarks) of secrets that are known and allowed
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
    /// Machine output on stdout
    #[arg(long)]
    pub json: bool,
}

/// `lighthouse`
#[derive(Clone, Debug, ClapArgs)]
#[command(
    after_help = "Exit codes: 0 every category reaches --min, 1 one does not, 2 something could not be measured, 3 bad usage, \
    4 Lighthouse could not be run."
)]
pub struct LighthouseArgs {
    /// Pages to measure
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub urls: Vec<String>,
    /// Read reports (`lighthouse URL --output=json`) instead of measuring; several of one page count as several runs
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,
    /// Points that each category must reach
    #[arg(long, value_name = "POINTS", default_value_t = crate::lighthouse::LEAST, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub min: u8,
    /// Category to gate: performance, accessibility, best-practices, seo; may be given several times (default: all but seo)
    #[arg(long, value_name = "NAME")]
    pub category: Vec<String>,
    /// Measure each page so often, and take the middle
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=15))]
    pub runs: u32,
    /// The Lighthouse program, or its cli/index.js (default: HOOKDRILL_LIGHTHOUSE, `lighthouse` on the PATH, or an installed npx one)
    #[arg(long, value_name = "PATH")]
    pub lighthouse: Option<PathBuf>,
    /// A host besides this machine that may be measured; may be given several times
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Longest time for one measurement
    #[arg(long, default_value = "2m", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub timeout: Duration,
    /// Machine output on stdout
    #[arg(long)]
    pub json: bool,
}
