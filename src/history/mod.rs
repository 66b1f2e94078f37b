//! The history: what happened in a run, append-only, numbered, versioned, one JSON object a line.
//!
//! Must not know: what is right (that is `check`).

pub mod file;
pub mod lookup;
pub mod record;
