//! The judges: scenario, plan and history in, verdicts out. Pure, and sharing no code with the service or the doubles.
//!
//! Must not know: targets, sockets, how the service works.

pub mod verdict;
