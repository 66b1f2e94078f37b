//! The reference sync service: Stripe webhooks become one internal customer state, and from it CRM contacts and
//! support tickets through durable background jobs.
//!
//! ```text
//! POST /webhooks/stripe ─► verify ─► parse ─► one transaction: event + state + jobs ─► 200
//!                                                             │
//!                                  begin ◄── due job ◄────────┘
//!                                    │ Call          (no transaction is open while the call is out)
//!                                  finish ──► next step · done · later · dead
//! ```
//!
//! The core (`state`, `ingest`, `intake`, `job`, `queue`, `worker`, `upstream`, `core`) is pure over a store: `now` is handed in, an
//! upstream call is a value. `server`, `writer` and `client` are the shells.
//! Must not know: plans, scenarios, doubles, judging.

pub mod account;
pub mod alerts;
pub mod audit;
pub mod client;
pub mod config;
pub mod core;
pub mod defects;
pub mod door;
pub mod ingest;
pub mod intake;
pub mod job;
mod known;
pub mod ledger;
mod listener;
pub mod log;
pub mod metrics;
pub mod money;
mod objection;
mod operations;
pub mod overview;
pub mod pages;
pub mod person;
pub mod queue;
mod race;
pub mod reading;
pub mod reconcile;
mod routes;
pub mod server;
pub mod session;
pub mod snapshot;
pub mod state;
pub mod status;
pub mod store;
pub mod support;
pub mod telemetry;
pub mod trail;
pub mod upstream;
pub(crate) mod verify;
pub mod worker;
mod writer;

pub use config::{Backoff, Config, Secret, Settings};
pub use core::{Incoming, Process, Received, Service};
pub use defects::{Defect, Defects};
pub use server::{ServiceError, run, set_clock};
