//! The simulated body: the same interpreter, the service's core and the doubles' models as functions, one event heap and
//! a virtual clock in microseconds. No thread, no socket, no real clock: the same inputs give the same bytes.
//!
//! Must not know: criteria, verdicts; which defects a service may have.

mod asked;
mod happening;
mod intake;
mod point;
mod process;
mod way;
mod world;

pub use point::Point;
pub use world::{Crash, World};

use super::{signing::SigningSecrets, target::Target};
use crate::{
    history::file::History,
    plan::model::{Plan, Signing},
    redact::Redactor,
    scenario::model::Simulation,
    service::{Incoming, Secret, Settings, reading, verify},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// What stays the same over many simulated runs of one scenario.
pub struct Setup {
    /// The service's settings.
    pub settings: Settings,
    /// Processes, workers, latencies.
    pub simulation: Simulation,
    /// Secrets, name and abilities of the target; its URLs are not used.
    pub target: Target,
    /// Longest wait of the service for one call.
    call_timeout: Duration,
    /// Further effective options for the first record.
    pub options: BTreeMap<String, String>,
    /// Finds secrets, stack traces and internals in answers.
    pub redactor: Redactor,
    secrets: Vec<Secret>,
    cache: RefCell<Cache>,
}

/// What is computed once however many runs need it; nothing here can change what a run does.
#[derive(Default)]
struct Cache {
    events: BTreeMap<String, Option<Arc<Incoming>>>,
    /// By body, signing, second of signing and second of verifying: whether the signature is good.
    genuine: BTreeMap<(String, Signing, i64, i64), bool>,
}

/// Verified signatures that are kept, at most.
const MOST_SIGNATURES: usize = 50_000;

/// Parsed bodies that are kept, at most.
const MOST_EVENTS: usize = 20_000;

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("simulation", &self.simulation)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// What happened.
    pub history: History,
    /// Every scheduling point in the order in which it was passed; a crash names one by its place, from 1.
    pub points: Vec<Point>,
}

impl Setup {
    /// A simulated service behind `target`.
    pub fn new(
        target: Target,
        settings: Settings,
        simulation: Simulation,
        options: BTreeMap<String, String>,
        redactor: Redactor,
    ) -> Self {
        let secrets = target.secrets.all_known().into_iter().map(Secret::new).collect();
        // As `hookdrill serve` has it: a call must end well before the lease does.
        let call_timeout = settings.lease / 2;
        Self { settings, simulation, target, call_timeout, options, redactor, secrets, cache: RefCell::default() }
    }

    fn signing(&self) -> &SigningSecrets {
        &self.target.secrets
    }

    /// The event in a body, if it is one; parsed once.
    fn event(&self, hash: &str, body: &str) -> Option<Arc<Incoming>> {
        let mut cache = self.cache.borrow_mut();
        if let Some(known) = cache.events.get(hash) {
            return known.clone();
        }
        if cache.events.len() >= MOST_EVENTS {
            cache.events.clear();
        }
        let event = reading::event(body).map(|event| Arc::new(Incoming::new(event)));
        cache.events.insert(hash.to_owned(), event.clone());
        event
    }

    /// Signs as the sender does at `at`, and verifies as the service does at `now` (Unix seconds).
    fn is_genuine(&self, hash: &str, body: &str, signing: Signing, at: i64, now: i64) -> bool {
        let key = (hash.to_owned(), signing, at, now);
        let mut cache = self.cache.borrow_mut();
        if let Some(known) = cache.genuine.get(&key) {
            return *known;
        }
        let headers = self.signing().headers(signing, at, body.as_bytes());
        // The shell of the service looks at the first line alone.
        let header = headers.first().map(String::as_str);
        let genuine = verify::verify(header, body.as_bytes(), &self.secrets, now, &self.settings.defects).is_ok();
        if cache.genuine.len() >= MOST_SIGNATURES {
            cache.genuine.clear();
        }
        cache.genuine.insert(key, genuine);
        genuine
    }

    /// A genuine delivery as it came in, at the endpoint whose secret signed it.
    fn came(&self, incoming: Arc<Incoming>, signing: Signing, at: i64, now: i64) -> Arc<Incoming> {
        let body = incoming.event.body.as_bytes();
        // Signed again only for a service that looks: the sound one does not.
        let endpoint = verify::endpoint(&self.secrets, &self.settings.defects, |secrets| {
            let headers = self.signing().headers(signing, at, body);
            verify::verify(headers.first().map(String::as_str), body, secrets, now, &self.settings.defects).is_ok()
        });
        if endpoint == 0 { incoming } else { Arc::new(Incoming::new(incoming.event.clone()).at(endpoint)) }
    }
}

/// Carries out a plan to its end.
pub fn run(setup: &Setup, plan: &Plan, crash: Option<Crash>) -> Ran {
    let mut world = World::new(setup, plan, crash);
    while world.advance() {}
    world.ran()
}

/// Leaks of an answer that every acknowledged delivery has: found once.
fn no_leaks() -> &'static [String] {
    static NONE: OnceLock<Vec<String>> = OnceLock::new();
    NONE.get_or_init(Vec::new)
}
