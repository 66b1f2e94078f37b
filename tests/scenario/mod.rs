//! Scenario files and plans: the corpus of bad files, golden plans, laws of the faults.

mod bad;
mod chances;
mod golden;
mod good;
mod language;
mod laws;
mod recordings;
mod shipped;
mod ways;
