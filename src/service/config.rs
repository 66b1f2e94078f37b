//! What the service is told from outside. The environment is read by the caller.
//!
//! Must not know: the environment, files.

use super::{defects::Defects, store::PostgresAt, support::rules::Rules};
use crate::redact::Redactor;
pub use crate::stripe::signature::Secret;
use prometheus_client::metrics::histogram::Histogram;
use std::{
    fmt,
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How failed calls are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Wait after the first failure; it doubles with each further one.
    pub first: Duration,
    /// Longest wait.
    pub cap: Duration,
    /// Attempts in a row after which a job is given up.
    pub attempts: u32,
    /// How long a job that was given up rests before it is tried once more from the start: a downstream that heals
    /// after hours is served without a person (bug class 36). Jobs that the downstream rejected for good stay dead.
    pub revive: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            cap: Duration::from_secs(30),
            attempts: 12,
            revive: Duration::from_secs(300),
        }
    }
}

/// What the pure core decides by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Deliberate defects.
    pub defects: Defects,
    /// Events of the other mode are stored and acknowledged, but change nothing; `None` takes both. Live Connect endpoints
    /// receive test events too (bug class 63).
    pub livemode: Option<bool>,
    /// How long a worker may hold a job before another takes it over.
    pub lease: Duration,
    /// How failed calls are tried again.
    pub backoff: Backoff,
    /// Most deliveries that share one commit.
    pub batch: usize,
    /// Longest that the CRM's search is taken to be behind its writes. Tasks have no key there that it keeps unique: after an
    /// attempt that may have made one, an empty search proves nothing before this has passed.
    pub search_lag: Duration,
    /// Who is not active this long after signing up or after Checkout gets a ticket.
    pub onboarding_after: Duration,
    /// How requests to support are routed.
    pub rules: Arc<Rules>,
    /// Pause between two rounds of reconciliation with Stripe's list of events; `None` asks Stripe for nothing.
    pub reconcile: Option<Duration>,
    /// Whether the first round of an empty database takes all that Stripe still lists (30 days).
    pub backfill: bool,
    /// Pause between two rounds of comparing with Stripe, CRM and desk; `None` compares only when asked.
    pub audit: Option<Duration>,
    /// Whether subscriptions can be compared with Stripe's.
    pub stripe: bool,
    /// When alerts are raised; `None` raises none.
    pub alerting: Option<Alerting>,
}

/// When alerts are raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alerting {
    /// A Checkout that is completed and has no access after this long is one.
    pub activation_within: Duration,
}

impl Default for Alerting {
    fn default() -> Self {
        Self { activation_within: Duration::from_secs(120) }
    }
}

/// Pause between two rounds of reconciliation when nothing is said: a lost event is made good inside two minutes, through
/// a failed round too.
pub const RECONCILE: Duration = Duration::from_secs(30);

/// Pause between two rounds of comparing when nothing is said.
pub const AUDIT: Duration = Duration::from_secs(300);

/// HubSpot names no figure for its search; what people report is below this.
const SEARCH_LAG: Duration = Duration::from_secs(10);

/// A day: long enough to sleep over it, short enough that help is still welcome.
const ONBOARDING_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Enough that the cost of a commit is spread thin, few enough that the first of them does not wait long for the last.
const BATCH: usize = 256;

impl Default for Settings {
    fn default() -> Self {
        Self {
            defects: Defects::none(),
            livemode: Some(false),
            lease: Duration::from_secs(10),
            backoff: Backoff::default(),
            batch: BATCH,
            search_lag: SEARCH_LAG,
            onboarding_after: ONBOARDING_AFTER,
            rules: Arc::new(Rules::shipped()),
            reconcile: None,
            backfill: false,
            audit: None,
            stripe: false,
            alerting: None,
        }
    }
}

/// Where the service keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// In the process: gone with it.
    Memory,
    /// An SQLite file, made when it is absent.
    File(PathBuf),
    /// A PostgreSQL database, which other processes of the service use too.
    Postgres(PostgresAt),
}

impl Database {
    /// What opens it and must not be shown.
    fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Memory | Self::File(_) => Vec::new(),
            Self::Postgres(at) => at.secrets(),
        }
    }
}

/// What the one writer has done since it started.
#[derive(Debug, Default)]
pub struct Written {
    /// Deliveries that were handed to the store.
    pub deliveries: AtomicU64,
    /// Commits that they took.
    pub batches: AtomicU64,
    /// Deliveries that were turned away because too many waited.
    pub turned_away: AtomicU64,
    /// Where sizes of batches are measured, once the service runs.
    pub(super) sizes: OnceLock<Histogram>,
}

impl Written {
    pub(super) fn add(counter: &AtomicU64, number: usize) {
        // Only counted: nothing is decided by it, so no other memory has to be in step.
        counter.fetch_add(number as u64, Ordering::Relaxed);
    }

    /// One commit took so many deliveries.
    pub(super) fn batch(&self, deliveries: usize) {
        Self::add(&self.deliveries, deliveries);
        Self::add(&self.batches, 1);
        if let Some(sizes) = self.sizes.get() {
            sizes.observe(deliveries as f64);
        }
    }

    /// Deliveries and the commits that they took.
    pub fn counts(&self) -> (u64, u64) {
        (self.deliveries.load(Ordering::Relaxed), self.batches.load(Ordering::Relaxed))
    }
}

/// Shorter admin tokens are refused at start.
pub const SHORTEST_ADMIN_TOKEN: usize = 16;

/// What the person's pages are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// Stripe's id of the price that is sold.
    pub price: String,
    /// Our own address as browsers see it, without a slash at the end; without one, the address that is listened on.
    pub url: Option<String>,
    /// Key that signs cookies and forms. A new one signs everybody out.
    pub session_key: Secret,
}

/// Everything a running service is told.
#[derive(Clone)]
pub struct Config {
    /// Signing secrets of the endpoint; several during a rotation. None at all is refused at start.
    pub secrets: Vec<Secret>,
    /// Where the data is kept.
    pub database: Database,
    /// Base URL of the CRM.
    pub crm_url: String,
    /// Bearer token of the CRM.
    pub crm_token: Secret,
    /// Base URL of the support desk.
    pub support_url: String,
    /// Bearer token of the support desk.
    pub support_token: Secret,
    /// Base URL of Stripe's API; without it nothing is asked there.
    pub stripe_url: Option<String>,
    /// Key of Stripe's API, restricted to what the service does.
    pub stripe_key: Secret,
    /// The person's pages.
    pub shop: Shop,
    /// Where alerts are posted; such a URL often holds a token, so it is kept like a secret.
    pub alert_url: Option<Secret>,
    /// Worker tasks.
    pub workers: u32,
    /// Longest wait for one upstream call; must be shorter than the lease.
    pub call_timeout: Duration,
    /// Whether a listener on another address than loopback is accepted.
    pub public: bool,
    /// What opens the admin screen; without it there is none.
    pub admin_token: Option<Secret>,
    /// What opens `/metrics` and the reasons of `/readyz` in a public service.
    pub metrics_token: Option<Secret>,
    /// Requests a minute and address for each thing that costs money; `None` does not count.
    pub rate_limit: Option<NonZeroU32>,
    /// Whether the last hop that a proxy names is the address that counts.
    pub trust_proxy: bool,
    /// Longest wait for the headers of a request.
    pub header_timeout: Duration,
    /// What the core decides by.
    pub settings: Settings,
    /// Where the writer counts; keep a copy to read it.
    pub written: Arc<Written>,
}

impl Config {
    /// The defaults: two workers, memory, loopback only, five seconds a call.
    pub fn new(secret: Secret, crm_url: impl Into<String>, support_url: impl Into<String>) -> Self {
        Self {
            secrets: vec![secret],
            database: Database::Memory,
            crm_url: crm_url.into(),
            crm_token: Secret::new("token-of-the-crm-double"),
            support_url: support_url.into(),
            support_token: Secret::new("token-of-the-desk-double"),
            stripe_url: None,
            stripe_key: Secret::new("key-of-the-stripe-double"),
            shop: Shop { price: "price_1SZSxhQmZ4vTe8RaiscJ51Xp".to_owned(), url: None, session_key: Secret::new("") },
            alert_url: None,
            workers: 2,
            call_timeout: Duration::from_secs(5),
            public: false,
            admin_token: None,
            metrics_token: None,
            rate_limit: None,
            trust_proxy: false,
            header_timeout: Duration::from_secs(10),
            settings: Settings::default(),
            written: Arc::default(),
        }
    }

    /// Why the service would not be safe to start, if so.
    pub fn objection(&self) -> Option<&'static str> {
        if self.secrets.is_empty() || self.secrets.iter().any(|secret| secret.expose().trim().is_empty()) {
            return Some("no webhook secret is set: every delivery would be refused, or an unsigned one accepted");
        }
        for (token, objection) in [
            (Some(&self.crm_token), "the CRM's token is empty: every call would be refused"),
            (Some(&self.support_token), "the support desk's token is empty: every call would be refused"),
            (self.stripe_url.as_ref().map(|_| &self.stripe_key), "the key of Stripe's API is empty"),
            (self.metrics_token.as_ref(), "the metrics token is empty: anybody could read them"),
        ] {
            if token.is_some_and(|token| token.expose().trim().is_empty()) {
                return Some(objection);
            }
        }
        if self.admin_token.as_ref().is_some_and(|token| token.expose().trim().len() < SHORTEST_ADMIN_TOKEN) {
            return Some("the admin token has less than 16 characters: it could be guessed");
        }
        if self.workers == 0 {
            return Some("there are no workers: nothing would reach the CRM or the support desk");
        }
        if self.settings.batch == 0 {
            return Some("a commit may hold no delivery: none would ever be stored");
        }
        if self.call_timeout >= self.settings.lease {
            return Some(
                "the call time-out is not shorter than the lease: two workers could make the same call at once",
            );
        }
        None
    }
}

impl Config {
    /// What takes every secret of this configuration out of a text.
    pub fn redactor(&self) -> Redactor {
        let given = [&self.crm_token, &self.support_token, &self.stripe_key, &self.shop.session_key];
        let optional = [&self.alert_url, &self.admin_token, &self.metrics_token];
        let secrets = self.secrets.iter().chain(given).chain(optional.into_iter().flatten());
        let database = self.database.secrets();
        let texts: Vec<&str> = secrets.chain(&database).map(Secret::expose).collect();
        Redactor::new(&texts)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("secrets", &format_args!("{} hidden", self.secrets.len()))
            .field("database", &self.database)
            .field("crm_url", &self.crm_url)
            .field("support_url", &self.support_url)
            .field("stripe_url", &self.stripe_url)
            .field("workers", &self.workers)
            .field("call_timeout", &self.call_timeout)
            .field("public", &self.public)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut config = Config::new(Secret::new("whsec_visible"), "http://127.0.0.1:1", "http://127.0.0.1:2");
        config.crm_token = Secret::new("tok_visible");
        config.support_token = Secret::new("sup_visible");
        let shown = format!("{config:?} {:?}", config.crm_token);
        assert!(!shown.contains("visible"), "{shown}");
    }

    #[test]
    fn unsafe_configurations_are_refused() {
        let sound = Config::new(Secret::new("whsec_1"), "http://127.0.0.1:1", "http://127.0.0.1:2");
        assert_eq!(sound.objection(), None);
        for broken in [
            Config { secrets: vec![], ..sound.clone() },
            Config { secrets: vec![Secret::new(" ")], ..sound.clone() },
            Config { workers: 0, ..sound.clone() },
            Config { crm_token: Secret::new(""), ..sound.clone() },
            Config { support_token: Secret::new(" "), ..sound.clone() },
            Config { stripe_url: Some("http://127.0.0.1:3".into()), stripe_key: Secret::new(""), ..sound.clone() },
            Config { admin_token: Some(Secret::new("short")), ..sound.clone() },
            Config { metrics_token: Some(Secret::new("")), ..sound.clone() },
            Config { settings: Settings { batch: 0, ..sound.settings.clone() }, ..sound.clone() },
            Config { call_timeout: sound.settings.lease, ..sound.clone() },
        ] {
            assert!(broken.objection().is_some(), "{broken:?}");
        }
    }
}
