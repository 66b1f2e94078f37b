//! What was typed. What it means is decided in the subcommands.
//!
//! Must not know: files, the environment.

mod audit;
pub mod doctor;
pub mod gates;
pub mod mocks;
mod record;

pub use audit::{AuditArgs, PastDue};
pub use record::{ImportArgs, RecordArgs, ScrubArgs};

use self::mocks::{MocksArgs, ShimArgs};
use crate::stripe::import::ImportOptions;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Replays signed Stripe webhook events under scripted faults (retry, resend, duplicate, reorder, bad signature, outage,
/// crash) and judges the outcome by counting effects.
#[derive(Debug, Parser)]
#[command(name = "hookdrill", version, about, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 every criterion passed, 1 a criterion failed (the service is wrong), 2 inconclusive, \
    3 bad usage, scenario or recording (nothing was sent), 4 the run broke, 70 a bug in hookdrill."
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios against the embedded reference service or your app, and judge the outcome
    Run(RunArgs),
    /// Print the delivery plan of a scenario (order, duplicates, retries); sends nothing
    Plan(PlanArgs),
    /// Judge a stored run again, without running it
    Check(CheckArgs),
    /// Write a report of a stored run (JUnit, JSON, Markdown, text)
    Report(ReportArgs),
    /// Check scenarios and recordings; every error with its place
    Lint(LintArgs),
    /// Turn an export of Stripe events into a recording
    Import(ImportArgs),
    /// Stand between `stripe listen` (or a tunnel) and your app, and record what passes, without personal data
    Record(RecordArgs),
    /// Take personal data out of a recording or an export
    Scrub(ScrubArgs),
    /// Make a Stripe-Signature header, or say why one fails
    Signature(SignatureArgs),
    /// Start the reference service (webhooks at /webhooks/stripe)
    Serve(ServeArgs),
    /// Examine a webhook endpoint with some twenty requests, and name what is wrong with it
    Doctor(doctor::DoctorArgs),
    /// Look for keys, passwords and your own secrets in bundles, logs and reports
    Secrets(gates::SecretsArgs),
    /// Measure pages with Lighthouse, or read its reports, and gate them at 90
    Lighthouse(gates::LighthouseArgs),
    /// Print where Stripe, the reference service (or, with --events, your app), CRM and desk disagree
    Audit(AuditArgs),
    /// Run scenarios against the embedded service with each of its deliberate defects: what would your suite miss?
    Teeth(TeethArgs),
    /// Run the doubles alone (CRM, support, Stripe's API, declared ones), with a page that shows what came
    Mocks(MocksArgs),
    /// Write the file that sends calls of a Node or Python app to hard-coded API hosts to the doubles
    Shim(ShimArgs),
    /// Write a first scenario and a project file (hookdrill.toml) to start from
    Init(InitArgs),
    /// Print the JSON Schema of scenarios or of the project file, for an editor
    Schema(SchemaArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// End an app's processes when the run that started them is gone
    #[command(hide = true)]
    Keep,
}

/// `init`
#[derive(Clone, Debug, ClapArgs)]
pub struct InitArgs {
    /// Folder to write into; nothing there is overwritten
    #[arg(default_value = ".")]
    pub folder: PathBuf,
}

/// `schema`
#[derive(Clone, Debug, ClapArgs)]
pub struct SchemaArgs {
    /// Of which files
    #[arg(long, value_enum, default_value_t = SchemaOf::Scenario)]
    pub of: SchemaOf,
}

/// Formats that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Scenarios.
    Scenario,
    /// Files of stories that scenarios include.
    Stories,
    /// The project file, `hookdrill.toml`.
    Project,
    /// Declared doubles.
    Double,
}

/// `completions`
#[derive(Clone, Debug, ClapArgs)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Which recordings scenarios may name.
#[derive(Clone, Debug, ClapArgs)]
pub struct RecordingArgs {
    /// Folder of recordings that scenarios name
    #[arg(long, default_value = "fixtures", value_name = "DIR")]
    pub fixtures: PathBuf,
    /// Accept recordings from live mode
    #[arg(long)]
    pub allow_livemode: bool,
}

impl RecordingArgs {
    /// How recordings are read.
    pub const fn options(&self) -> ImportOptions {
        ImportOptions { allow_livemode: self.allow_livemode }
    }
}

/// `run`
#[derive(Clone, Debug, ClapArgs)]
pub struct RunArgs {
    /// Scenario files, folders of them, or recordings and exports of Stripe events (a story is made around those). Default:
    /// scenarios; with --target those of them that the target can answer
    pub paths: Vec<PathBuf>,
    /// Carry out a saved plan (`reports/<scenario>/<run>/plan.json`) as it is, without its scenario: the same bytes at the same
    /// times, signed afresh. Judged by the `scenario.toml` beside it, if there is one, else by no event being lost
    #[arg(long, value_name = "FILE",
          conflicts_with_all = ["paths", "seed", "epoch", "filter", "seeds", "crash_everywhere", "cast_seed"])]
    pub plan: Option<PathBuf>,
    /// Seed of every random choice
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Payload epoch in Unix seconds: the newest `created` in the payloads (default: the start of the run)
    #[arg(long, value_name = "UNIX", value_parser = clap::value_parser!(i64).range(0..=253_402_300_799))]
    pub epoch: Option<i64>,
    /// Where run folders go
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub reports: PathBuf,
    /// Recordings
    #[command(flatten)]
    pub recordings: RecordingArgs,
    /// Run only scenarios whose name or file matches, `*` standing for anything; with `!` in front, all but those.
    /// May be given several times
    #[arg(long, value_name = "GLOB")]
    pub filter: Vec<String>,
    /// Project file that describes your app (default: the embedded reference service)
    #[arg(long, value_name = "FILE")]
    pub target: Option<PathBuf>,
    /// Switch a deliberate defect of the embedded service on, to see what catches it
    #[arg(long, value_name = "NAME", conflicts_with = "target")]
    pub defect: Vec<String>,
    /// Where the embedded service keeps its data
    #[arg(long, value_enum, default_value_t = DatabaseKind::Sqlite, conflicts_with_all = ["target", "simulate"])]
    pub database: DatabaseKind,
    /// Processes of the embedded service over one database; deliveries go to them in turn
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["target", "simulate"],
          value_parser = clap::value_parser!(u32).range(1..=16))]
    pub processes: u32,
    /// Run in virtual time: the reference service and the doubles as functions, the same bytes for the same seed
    #[arg(long, conflicts_with = "target")]
    pub simulate: bool,
    /// Run each scenario under so many seeds, from --seed on; only failures leave a run folder
    #[arg(long, value_name = "N", requires = "simulate", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: Option<u64>,
    /// Crash the service at every scheduling point of a run in turn, each in a run of its own
    #[arg(long, requires = "simulate", conflicts_with = "seeds")]
    pub crash_everywhere: bool,
    /// Seed of the customers' identities (default: --seed); with --seeds all runs share it
    #[arg(long, value_name = "N", requires = "simulate")]
    pub cast_seed: Option<u64>,
    /// Mark what did not pass at its line of the scenario file, as a CI system reads it (default: github where GITHUB_ACTIONS is
    /// true, else none)
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub annotations: Option<Annotations>,
    /// Judge by comparison, without any expectation written: each story happens to two customers without faults first, and
    /// everybody else must end as they did (adds the criterion `differences_from_clean` to each scenario)
    #[arg(long, value_enum, value_name = "WITH")]
    pub compare: Option<CompareWith>,
    /// A path that may differ, as the verdict names it: `$.history`, `contact.note`. May be given several times
    #[arg(long, value_name = "PATH", requires = "compare")]
    pub ignore: Vec<String>,
    /// Where the target cannot be asked for a criterion, judge the others and say so (as is done anyway for folders and shipped
    /// scenarios; a file that is named is otherwise judged whole or not run)
    #[arg(long, requires = "target")]
    pub partly: bool,
    /// Machine output on stdout, everything else on stderr
    #[arg(long)]
    pub json: bool,
    /// Only the final verdict
    #[arg(long)]
    pub quiet: bool,
}

/// Systems that read annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// GitHub Actions.
    Github,
    /// Nobody.
    None,
}

/// What a run is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareWith {
    /// A clean delivery of the same stories.
    Clean,
}

/// Databases of the embedded service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DatabaseKind {
    /// A new SQLite file.
    Sqlite,
    /// A new schema of the PostgreSQL that the variable DATABASE_URL names.
    Postgres,
}

/// `plan`
#[derive(Clone, Debug, ClapArgs)]
pub struct PlanArgs {
    /// Scenario file
    pub path: PathBuf,
    /// Seed of every random choice
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Payload epoch in Unix seconds (default: 2026-01-01T00:00:00Z, so that plans can be compared)
    #[arg(long, value_name = "UNIX", default_value_t = 1_767_225_600,
          value_parser = clap::value_parser!(i64).range(0..=253_402_300_799))]
    pub epoch: i64,
    /// Recordings
    #[command(flatten)]
    pub recordings: RecordingArgs,
    /// The whole plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// `check`
#[derive(Clone, Debug, ClapArgs)]
pub struct CheckArgs {
    /// Folder of a run (`reports/<scenario>/<run>`)
    pub run: PathBuf,
    /// Verdicts as JSON
    #[arg(long)]
    pub json: bool,
}

/// `report`
#[derive(Clone, Debug, ClapArgs)]
pub struct ReportArgs {
    /// Folder of a run (`reports/<scenario>/<run>`)
    pub run: PathBuf,
    /// Format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As on the terminal.
    Text,
    /// JUnit XML.
    Junit,
    /// JSON.
    Json,
    /// Markdown, for a CI job summary.
    Markdown,
}

/// `lint`
#[derive(Clone, Debug, ClapArgs)]
pub struct LintArgs {
    /// Scenario files, folders of them, or recordings (default: `scenarios` and every recording of the fixtures folder)
    pub paths: Vec<PathBuf>,
    /// Recordings
    #[command(flatten)]
    pub recordings: RecordingArgs,
}

/// `signature`
#[derive(Clone, Debug, ClapArgs)]
pub struct SignatureArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: SignatureCommand,
}

/// `signature …`
#[derive(Clone, Debug, Subcommand)]
pub enum SignatureCommand {
    /// Print the Stripe-Signature header for a body
    Sign {
        /// File that holds the body, `-` for standard input
        body: PathBuf,
        /// Variable that holds the signing secret
        #[arg(long, default_value = "STRIPE_WEBHOOK_SECRET", value_name = "NAME")]
        secret_env: String,
        /// Unix seconds for `t=` (default: now)
        #[arg(long, value_name = "UNIX")]
        timestamp: Option<i64>,
    },
    /// Say whether a header is good for a body, and why not
    Verify {
        /// File that holds the body, `-` for standard input
        #[arg(required_unless_present = "jsonl")]
        body: Option<PathBuf>,
        /// The header's value
        #[arg(long, required_unless_present = "jsonl", value_name = "VALUE")]
        header: Option<String>,
        /// Variable that holds the signing secret
        #[arg(long, default_value = "STRIPE_WEBHOOK_SECRET", value_name = "NAME")]
        secret_env: String,
        /// The verifier's clock in Unix seconds (default: now)
        #[arg(long, value_name = "UNIX")]
        now: Option<i64>,
        /// Read cases from standard input, one JSON object a line, and print one verdict a line
        #[arg(long, conflicts_with_all = ["body", "header"])]
        jsonl: bool,
    },
}

/// `serve`
#[derive(Clone, Debug, ClapArgs)]
pub struct ServeArgs {
    /// Address to listen on; only this machine unless --allow-remote
    #[arg(long, default_value = "127.0.0.1:4242")]
    pub listen: std::net::SocketAddr,
    /// Listen on an address that other machines reach
    #[arg(long)]
    pub allow_remote: bool,
    /// SQLite file, or the word `postgres` for the database that the variable DATABASE_URL names (default: in memory, gone
    /// at the end)
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,
    /// Schema of a PostgreSQL database, made when absent
    #[arg(long, value_name = "NAME", default_value = "hookdrill", requires = "database")]
    pub database_schema: String,
    /// Base URL of the CRM (default: a double is started)
    #[arg(long, value_name = "URL")]
    pub crm_url: Option<String>,
    /// Base URL of the support desk (default: a double is started)
    #[arg(long, value_name = "URL")]
    pub support_url: Option<String>,
    /// Base URL of Stripe's API, such as https://api.stripe.com; events that never arrive are fetched there; its key is in the
    /// variable STRIPE_API_KEY (default: a double is started, whose events are delivered to the service)
    #[arg(long, value_name = "URL")]
    pub stripe_url: Option<String>,
    /// Stripe's id of the price that is sold
    #[arg(long, value_name = "ID", default_value = crate::mock::stripe::PRICES[0].id)]
    pub stripe_price: String,
    /// The service's own address as browsers see it (default: the address that is listened on)
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// How long a worker may hold a job before another takes it over; a call to the CRM or the desk may take half of it
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub lease: std::time::Duration,
    /// Requests a minute that one address may make of each thing that costs money (support, chat, sign-up); 0 does not count
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub rate_limit: u32,
    /// A proxy stands in front: the last hop of its Forwarded or X-Forwarded-For is the address that counts
    #[arg(long)]
    pub trust_proxy: bool,
    /// How the log is written, on standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub log: crate::service::log::Format,
    /// What is logged: error, warn, info, debug, trace, or a list like `warn,hookdrill=debug` (default: RUST_LOG, or info)
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Rules that route requests to support (TOML; default: those that come with the service)
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Who is not active this long after signing up or after Checkout gets a ticket
    #[arg(long, default_value = "24h", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub onboarding_after: std::time::Duration,
    /// Pause between two looks at Stripe's list of events
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub reconcile: std::time::Duration,
    /// Let an empty database take in all events that Stripe still lists (30 days), not only those from now on
    #[arg(long, requires = "stripe_url")]
    pub backfill: bool,
    /// Pause between two rounds of comparing a few customers with Stripe, CRM and desk (0s: only when asked)
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub audit: std::time::Duration,
    /// After this long a completed Checkout without access is an alert, posted to the URL in HOOKDRILL_ALERT_URL
    #[arg(long, default_value = "2m", value_name = "DURATION", value_parser = crate::time::parse_duration)]
    pub activation_alert: std::time::Duration,
    /// Switch a deliberate defect on
    #[arg(long, value_name = "NAME")]
    pub defect: Vec<String>,
    /// End when standard input closes
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

/// `teeth`
#[derive(Clone, Debug, ClapArgs)]
pub struct TeethArgs {
    /// Scenario files, folders of them, or recordings and exports of Stripe events
    #[arg(default_value = "scenarios")]
    pub paths: Vec<PathBuf>,
    /// Only this defect; may be given several times (default: every one)
    #[arg(long, value_name = "NAME")]
    pub defect: Vec<String>,
    /// Only scenarios whose name or file matches, `*` standing for anything; with `!` in front, all but those.
    /// May be given several times
    #[arg(long, value_name = "GLOB")]
    pub filter: Vec<String>,
    /// Seed of every random choice
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seeds under which the sound service runs each scenario, and a defect that no plain run catches
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Runs with a crash at one point, at most, for a defect that no seed catches
    #[arg(long, value_name = "N", default_value_t = 1500)]
    pub crashes: u64,
    /// Exit 1 too when a scenario is redundant, covers a class of which it catches no defect, or when a catch goes by a wrong name
    #[arg(long, conflicts_with = "quick")]
    pub strict: bool,
    /// Stop each hunt at the first catch, and do not look for redundant scenarios
    #[arg(long)]
    pub quick: bool,
    /// Recordings
    #[command(flatten)]
    pub recordings: RecordingArgs,
    /// Machine output on stdout, everything else on stderr
    #[arg(long)]
    pub json: bool,
}
