//! A plan: scenario and seed compiled to every delivery, step and outage with its planned time. Pure.
//!
//! Must not know: targets, sockets, clocks, what the service answers.

mod bodies;
mod cast;
pub mod clean;
pub mod compile;
mod controls;
mod extras;
pub mod faults;
pub mod model;
pub mod text;
mod troubles;
