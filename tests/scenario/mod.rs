//! Scenario files and plans: the corpus of bad files, golden plans, laws of the faults.

mod bad;
mod chances;
mod classes;
mod golden;
mod good;
mod language;
mod laws;
mod recordings;
mod schema;
mod shipped;
mod ways;
