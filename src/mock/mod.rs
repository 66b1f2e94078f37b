//! Doubles of the downstream APIs: pure models with a ledger of effects, and the wiremock socket in front of them.
//!
//! The models must not know: sockets, clocks, plans. Each call is given `now_ms`.

pub mod alerts;
pub mod answer;
pub mod crm;
pub mod declared;
pub mod desk;
pub mod dialect;
pub mod effect;
pub mod intercom;
mod lagged;
mod limit;
pub mod models;
pub mod outage;
pub mod relay;
pub mod scopes;
pub mod script;
pub mod socket;
pub mod stripe;
mod subject;
