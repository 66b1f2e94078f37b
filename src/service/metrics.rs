//! What is measured, for Prometheus. Labels are words of this program, never a customer's data or anything from the wire.
//!
//! Must not know: HTTP, the store, clocks; it is told how long things took.

use super::{
    job::JobCounts,
    store::StoreError,
    upstream::{Call, CallResult, Upstream},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{collections::BTreeMap, fmt, sync::atomic::AtomicU64, time::Duration};

/// What became of a webhook request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ack {
    /// A new event, committed.
    Accepted,
    /// Known already; nothing was done.
    Duplicate,
    /// Not signed by the endpoint's secret.
    Forged,
    /// Signed, but no event; or a body that cannot be read.
    Unreadable,
    /// Turned away: too many wait.
    TurnedAway,
    /// The store did not take it.
    Failed,
}

impl Ack {
    /// All outcomes.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Duplicate, Self::Forged, Self::Unreadable, Self::TurnedAway, Self::Failed];

    /// Its label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Forged => "forged",
            Self::Unreadable => "unreadable",
            Self::TurnedAway => "turned_away",
            Self::Failed => "failed",
        }
    }
}

/// A peer's label.
pub const fn peer(upstream: Upstream) -> &'static str {
    match upstream {
        Upstream::Crm => "crm",
        Upstream::Desk => "desk",
        Upstream::Stripe => "stripe",
        Upstream::Alerts => "alerts",
    }
}

/// The label of what a call came to. All answers that say "there it is" are one: a peer is well when it gives them.
pub const fn result(result: &CallResult) -> &'static str {
    match result {
        CallResult::Later { .. } => "later",
        CallResult::Rejected { .. } => "rejected",
        CallResult::Missing => "missing",
        CallResult::Conflict(_) => "conflict",
        _ => "ok",
    }
}

/// Around the objective of 300 ms, in seconds.
const ACK_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 5.0];
/// Seconds; the longest call time-out is five.
const CALL_BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Deliveries in one commit.
const BATCH_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerResult {
    peer: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

/// What is read from the store when somebody asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Jobs by state.
    pub jobs: JobCounts,
    /// How long the oldest due job has been due.
    pub oldest_due: Option<Duration>,
    /// Alerts that were raised, by kind.
    pub alerts: BTreeMap<String, u64>,
    /// Events that were fetched because no webhook brought them.
    pub reconciled: u64,
    /// Customers in disagreement.
    pub findings: u64,
    /// Steps that a person took.
    pub manual_steps: u64,
}

type Histograms = Family<Peer, Histogram, fn() -> Histogram>;

/// All that is measured.
pub struct Metrics {
    registry: Registry,
    webhooks: Family<Outcome, Counter>,
    ack: Histogram,
    batch: Histogram,
    calls: Family<PeerResult, Counter>,
    call_seconds: Histograms,
    store_errors: Family<Kind, Counter>,
    limited: Family<Kind, Counter>,
    panics: Counter,
    jobs: Family<Kind, Gauge>,
    dead: Gauge,
    oldest_due: Gauge<f64, AtomicU64>,
    alerts: Family<Kind, Gauge>,
    reconciled: Gauge,
    findings: Gauge,
    manual_steps: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("hookdrill"),
            webhooks: Family::default(),
            ack: Histogram::new(ACK_BUCKETS),
            batch: Histogram::new(BATCH_BUCKETS),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(|| Histogram::new(CALL_BUCKETS)),
            store_errors: Family::default(),
            limited: Family::default(),
            panics: Counter::default(),
            jobs: Family::default(),
            dead: Gauge::default(),
            oldest_due: Gauge::default(),
            alerts: Family::default(),
            reconciled: Gauge::default(),
            findings: Gauge::default(),
            manual_steps: Gauge::default(),
        };
        metrics.register_counted();
        metrics.register_standing();
        // A counter that first appears with 1 hides that step from `rate()`.
        for outcome in Ack::ALL {
            drop(metrics.webhooks.get_or_create(&Outcome { outcome: outcome.name() }));
        }
        metrics
    }
}

impl Metrics {
    fn register_counted(&mut self) {
        let registry = &mut self.registry;
        registry.register("webhooks", "Webhook requests by outcome", self.webhooks.clone());
        let help = "Time from a webhook's headers to its answer";
        registry.register_with_unit("webhook_ack", help, Unit::Seconds, self.ack.clone());
        registry.register("batch_size", "Deliveries that shared one commit", self.batch.clone());
        registry.register("upstream_calls", "Calls to peers by result", self.calls.clone());
        let help = "Time that calls to peers took";
        registry.register_with_unit("upstream_call", help, Unit::Seconds, self.call_seconds.clone());
        registry.register("store_errors", "Transactions that did not commit, by kind", self.store_errors.clone());
        registry.register("rate_limited", "Requests refused with 429, by what they asked for", self.limited.clone());
        registry.register("panics", "Requests that a panic ended", self.panics.clone());
    }

    fn register_standing(&mut self) {
        let registry = &mut self.registry;
        registry.register("jobs", "Jobs by state", self.jobs.clone());
        registry.register("dead_letters", "Jobs that were given up", self.dead.clone());
        let help = "How long the oldest due job has been due";
        registry.register_with_unit("oldest_due_job_age", help, Unit::Seconds, self.oldest_due.clone());
        registry.register("alerts_raised", "Alerts on record, by kind", self.alerts.clone());
        let help = "Events that were fetched because no webhook brought them";
        registry.register("reconciled_events", help, self.reconciled.clone());
        registry.register("customers_in_disagreement", "Customers with an open finding", self.findings.clone());
        registry.register("manual_steps", "Steps that a person took", self.manual_steps.clone());
    }

    /// A webhook request was answered.
    pub fn webhook(&self, ack: Ack, took: Duration) {
        self.webhooks.get_or_create(&Outcome { outcome: ack.name() }).inc();
        self.ack.observe(took.as_secs_f64());
    }

    /// Where sizes of batches are counted.
    pub fn batch_sizes(&self) -> Histogram {
        self.batch.clone()
    }

    /// A peer was called.
    pub fn call(&self, call: &Call, came_to: &CallResult, took: Duration) {
        let peer = peer(call.upstream());
        self.calls.get_or_create(&PeerResult { peer, result: result(came_to) }).inc();
        self.call_seconds.get_or_create(&Peer { peer }).observe(took.as_secs_f64());
    }

    /// A transaction did not commit.
    pub fn store_error(&self, error: &StoreError) {
        let kind = match error {
            StoreError::Retry(_) => "busy",
            StoreError::Refuse(_) => "refused",
            StoreError::Broken(_) => "broken",
        };
        self.store_errors.get_or_create(&Kind { kind: kind.to_owned() }).inc();
    }

    /// A request was refused because its address asks too often.
    pub fn rate_limited(&self, kind: &'static str) {
        self.limited.get_or_create(&Kind { kind: kind.to_owned() }).inc();
    }

    /// A panic ended a request.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// The text format of Prometheus (OpenMetrics 1.0).
    ///
    /// # Errors
    /// The encoder's; a `String` takes everything, so there is none to be expected.
    pub fn text(&self, standing: &Standing) -> Result<String, fmt::Error> {
        let JobCounts { scheduled, pending, dead, done } = standing.jobs;
        for (kind, number) in [("scheduled", scheduled), ("pending", pending), ("dead", dead), ("done", done)] {
            self.jobs.get_or_create(&Kind { kind: kind.to_owned() }).set(whole(number));
        }
        self.dead.set(whole(dead));
        self.oldest_due.set(standing.oldest_due.unwrap_or_default().as_secs_f64());
        for (kind, number) in &standing.alerts {
            self.alerts.get_or_create(&Kind { kind: word(kind) }).set(whole(*number));
        }
        self.reconciled.set(whole(standing.reconciled));
        self.findings.set(whole(standing.findings));
        self.manual_steps.set(whole(standing.manual_steps));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A kind of alert comes from a stored document: what is no plain word of ours is `other`.
fn word(kind: &str) -> String {
    let plain = !kind.is_empty() && kind.len() <= 40 && kind.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if plain { kind.to_owned() } else { "other".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_in_the_text() {
        let metrics = Metrics::default();
        metrics.webhook(Ack::Accepted, Duration::from_millis(250));
        metrics.webhook(Ack::Forged, Duration::from_millis(1));
        metrics.batch_sizes().observe(3.0);
        let call = Call::FindTicket { external_id: "invoice:in_secret".into() };
        metrics.call(&call, &CallResult::Found(None), Duration::from_millis(20));
        metrics.call(&call, &CallResult::Rejected { what: "400".into() }, Duration::from_millis(20));
        metrics.store_error(&StoreError::Retry("ada@example.com".into()));
        metrics.rate_limited("support");
        let alerts = [("activation_late", 2), ("Ada <ada@example.com>", 1)].map(|(k, n)| (k.to_owned(), n));
        let standing = Standing {
            jobs: JobCounts { scheduled: 1, pending: 2, dead: 3, done: 4 },
            oldest_due: Some(Duration::from_millis(1500)),
            alerts: BTreeMap::from(alerts),
            reconciled: 5,
            findings: 6,
            manual_steps: 7,
        };
        let text = metrics.text(&standing).expect("text");
        for line in [
            "hookdrill_webhooks_total{outcome=\"accepted\"} 1",
            "hookdrill_webhooks_total{outcome=\"duplicate\"} 0",
            "hookdrill_webhook_ack_seconds_bucket{le=\"0.3\"} 2",
            "hookdrill_webhook_ack_seconds_bucket{le=\"0.2\"} 1",
            "hookdrill_batch_size_bucket{le=\"4.0\"} 1",
            "hookdrill_upstream_calls_total{peer=\"desk\",result=\"ok\"} 1",
            "hookdrill_upstream_calls_total{peer=\"desk\",result=\"rejected\"} 1",
            "hookdrill_upstream_call_seconds_count{peer=\"desk\"} 2",
            "hookdrill_store_errors_total{kind=\"busy\"} 1",
            "hookdrill_rate_limited_total{kind=\"support\"} 1",
            "hookdrill_jobs{kind=\"dead\"} 3",
            "hookdrill_dead_letters 3",
            "hookdrill_oldest_due_job_age_seconds 1.5",
            "hookdrill_alerts_raised{kind=\"activation_late\"} 2",
            "hookdrill_alerts_raised{kind=\"other\"} 1",
            "hookdrill_reconciled_events 5",
            "hookdrill_customers_in_disagreement 6",
            "hookdrill_manual_steps 7",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("ada@") && !text.contains("in_secret"), "{text}");
    }
}
