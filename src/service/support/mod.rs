//! Support: requests of people, routed to one of three queues by rules, and stored until their one ticket is open.
//!
//! Must not know: HTTP, the desk's API, clocks.

pub mod requests;
pub mod rules;
pub mod triage;
