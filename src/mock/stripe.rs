//! Pure model of Stripe's API.
//!
//! Must not know: sockets, clocks, faults.

use super::answer::Answered;
use crate::{
    time::Timestamp,
    wire::{Request, Response},
};
use serde_json::json;

/// How the model behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StripeOptions {
    /// Wall time of millisecond 0, for the times in answers.
    pub epoch: Timestamp,
}

impl Default for StripeOptions {
    fn default() -> Self {
        Self { epoch: super::crm::DEFAULT_EPOCH }
    }
}

/// Stripe's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stripe {
    options: StripeOptions,
}

impl Stripe {
    /// An account without customers.
    pub const fn new(options: StripeOptions) -> Self {
        Self { options }
    }

    /// What the history calls this request.
    pub fn operation(_request: &Request) -> &'static str {
        "unknown"
    }

    /// Wall time of millisecond 0.
    pub const fn epoch(&self) -> Timestamp {
        self.options.epoch
    }

    /// Answers one call at `now_ms`.
    pub fn handle(&mut self, _now_ms: u64, request: &Request) -> Answered {
        let message = format!("Unrecognized request URL ({}: {}).", request.method, request.path);
        let body = json!({"error": {"type": "invalid_request_error", "message": message}});
        Answered { operation: Self::operation(request), response: Response::json(404, &body), effects: Vec::new() }
    }
}
