//! What the parts of a running service share for those who operate it: metrics, allowances, who is alive, who may look.
//!
//! Must not know: routes, pages.

use super::{
    config::{Config, Secret},
    metrics::Metrics,
    routes::limit::Limits,
    session::Sealer,
    store::StoreError,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// All of it.
pub(super) struct Operations {
    pub(super) metrics: Metrics,
    pub(super) limits: Limits,
    pub(super) admin: Option<Admin>,
    pub(super) metrics_token: Option<Secret>,
    workers: Arc<AtomicU32>,
    wanted: u32,
    stops: AtomicBool,
}

/// Who opens the admin screen.
pub(super) struct Admin {
    /// What has to be typed.
    pub(super) token: Secret,
    /// Signs sessions and forms, with the token as its key: another token ends all sessions.
    pub(super) sealer: Sealer,
    /// Sessions that were ended before their time: name and end in Unix seconds.
    pub(super) ended: Mutex<std::collections::BTreeMap<String, i64>>,
}

/// A worker is alive for as long as this is.
pub(super) struct Alive(Arc<AtomicU32>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Operations {
    pub(super) fn new(config: &Config) -> Self {
        let admin = config.admin_token.clone().map(|token| Admin {
            sealer: Sealer::new(token.clone()),
            token,
            ended: Mutex::default(),
        });
        Self {
            metrics: Metrics::default(),
            limits: Limits::new(config),
            admin,
            metrics_token: config.metrics_token.clone(),
            workers: Arc::default(),
            wanted: config.workers,
            stops: AtomicBool::new(false),
        }
    }

    /// Counts a worker as alive until the answer is dropped, by a panic too.
    pub(super) fn worker(&self) -> Alive {
        self.workers.fetch_add(1, Ordering::SeqCst);
        Alive(Arc::clone(&self.workers))
    }

    /// The service was told to stop: others should be asked.
    pub(super) fn stopping(&self) {
        self.stops.store(true, Ordering::SeqCst);
    }

    /// Why no more requests should come here, as far as it is known without asking the store. Says nothing of the inside.
    pub(super) fn objection(&self) -> Option<&'static str> {
        if self.stops.load(Ordering::SeqCst) {
            return Some("the service is stopping");
        }
        (self.workers.load(Ordering::SeqCst) < self.wanted).then_some("a worker does not run")
    }

    /// Counts a transaction that did not commit, and hands everything on.
    pub(super) fn noted<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        done.inspect_err(|error| self.metrics.store_error(error))
    }
}
