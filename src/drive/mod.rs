//! Carries out a plan: one sans-IO interpreter decides what comes next, a body (live here) does it and records it.
//!
//! Must not know: criteria, verdicts, reports; how the service under test works.

pub mod ask;
mod browser;
pub mod clock;
pub mod deliverer;
pub mod directive;
pub mod http;
pub mod interpreter;
pub mod live;
pub mod preflight;
pub mod probe;
pub mod process;
pub mod project;
mod rawhttp;
pub mod record;
pub mod signing;
pub mod sim;
pub mod target;
pub mod template;
pub mod transport;
