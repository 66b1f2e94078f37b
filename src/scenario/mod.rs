//! A scenario: one file that names recordings, the person's steps, faults and criteria; read, validated, located.
//!
//! Must not know: plans, targets, sockets, clocks.

pub mod criterion;
pub mod error;
pub mod fault;
pub mod load;
pub mod model;
