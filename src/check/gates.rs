//! What is shipped beside the webhooks: files without secrets, pages that are good enough. Measured at the end of a live run.
//!
//! Must not know: what a secret looks like, how a page is measured.

use super::{case::Case, finding::Finding, words};
use crate::scenario::criterion::Bound;

/// What is said where nothing was measured.
const LIVE_ALONE: &str = "it is measured at the end of a live run, and the history has no record of it";

/// Secrets in files.
pub(super) fn secrets(case: &Case<'_>, paths: &[String], bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} in {}", words::bound(bound, "secret"), paths.join(", ")));
    let Some(looked) = case.seen.secrets.iter().rev().find(|looked| looked.what.paths == paths) else {
        return finding.seeing("nothing that was looked through").inconclusive(LIVE_ALONE);
    };
    let (what, n) = (looked.what, looked.n);
    let found = format!("{} {}", what.found, words::plural(what.found, "secret"));
    let finding =
        finding.seeing(format!("{found} in {} {}", what.files, words::plural(what.files, "file"))).evidence([n]);
    if !bound.holds(what.found) {
        return finding.fail(format!("{found}: {}", what.places.join(", ")));
    }
    if let Some(first) = what.unread.first() {
        let more = what.unread.len() - 1;
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        return finding.inconclusive(format!("not everything could be looked through: {first}{more}"));
    }
    if what.files == 0 {
        return finding.inconclusive("there was no file to look through");
    }
    finding.pass(format!("{found}, as allowed"))
}

/// Points of a page.
pub(super) fn lighthouse(case: &Case<'_>, url: &str, at_least: u8) -> Finding {
    let finding = Finding::expecting(format!("at least {at_least} points in each category for {url}"));
    let Some(measured) = case.seen.pages.iter().rev().find(|measured| measured.what.url == url) else {
        return finding.seeing("nothing that was measured").inconclusive(LIVE_ALONE);
    };
    let what = measured.what;
    let words: Vec<String> = what
        .scores
        .iter()
        .map(|(name, points)| match points {
            Some(points) => format!("{name} {points}"),
            None => format!("{name} not measured"),
        })
        .collect();
    let seen = if words.is_empty() { "no points".to_owned() } else { words.join(", ") };
    let finding = finding.seeing(seen).evidence([measured.n]);
    let low = what
        .scores
        .iter()
        .filter_map(|(name, points)| points.filter(|p| *p < at_least).map(|p| format!("{name} has {p}")));
    let low: Vec<String> = low.collect();
    if !low.is_empty() {
        return finding.fail(low.join(", "));
    }
    match &what.error {
        Some(error) => finding.inconclusive(error.clone()),
        None if what.scores.is_empty() || what.scores.values().any(Option::is_none) => {
            finding.inconclusive("Lighthouse gave no points for a category")
        }
        None => finding.pass("every category reaches it"),
    }
}
