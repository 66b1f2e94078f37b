//! `hookdrill secrets`: keys and passwords in bundles, logs and reports, and the run's own secrets in any spelling.
//!
//! `rules` says what a secret looks like, `own` looks for known ones, `scan` goes through bytes window by window, `walk` reads files.
//! Must not know: scenarios, histories, the environment.

mod likely;
mod own;
mod rules;
mod scan;
mod walk;

pub use own::{Own, SHORTEST};
pub use rules::{RULES, Rule};
pub use scan::{Hit, Scanner};
pub use walk::{Options, Scanned, Unread, scan_paths};
