//! `hookdrill doctor`: about twenty requests to a webhook URL, and the cause from the pattern of the answers.
//!
//! `case` says what is asked, `prober` and `tls` ask it, `seen` is what came back, `diagnose` is a pure function from that to
//! findings, `text` and `page` show them. Must not know: scenarios, plans, the environment.

pub mod body;
pub mod case;
pub mod diagnose;
mod families;
pub mod finding;
pub mod page;
pub mod prober;
pub mod seen;
pub mod text;
pub mod tls;
mod words;

pub use case::{Case, Probe};
pub use diagnose::diagnose;
pub use finding::{Cause, Diagnosis, Finding, Severity};
pub use seen::{Answer, Observation, Seen};
