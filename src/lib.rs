//! hookdrill replays signed Stripe webhook events under scripted faults and judges the outcome by counting effects.
//!
//! ```text
//! recordings ─┐                                     ┌──── the service under test ────┐
//!             ▼                                     │ embedded reference │ any URL   │
//! scenario ─► Scenario ─(seed)─► Plan ─► drive ─────┘──────────▲─────────────┬───────┘
//!                                        │  ▲                                │ calls
//!                                        │  └── replies, probes ◄── CRM and support doubles
//!                                        ▼
//!                                     History ─► check ─► Verdicts ─► report ─► terminal, JUnit, JSON, exit code
//! ```
//!
//! One way, left to right. See `ARCHITECTURE.md` for the rooms and what each must not know.

pub mod check;
pub mod cli;
mod database;
pub mod doctor;
pub mod drive;
pub mod history;
pub mod id;
pub mod lighthouse;
pub mod mock;
pub mod plan;
pub mod redact;
pub mod report;
pub mod rng;
pub mod scenario;
pub mod secrets;
pub mod service;
pub mod stripe;
pub mod time;
pub mod wire;
