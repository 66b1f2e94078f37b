//! From what was seen to a diagnosis: a pure function. The root comes first, and what it hides is not reported.
//!
//! Must not know: sockets, clocks, how a diagnosis is shown.

use super::{
    case::Probe,
    families::{Found, reach, setup, surface, verifying},
    finding::{Asked, Cause, Diagnosis, Finding, NotJudged, Outcome, Severity},
    seen::Seen,
    words,
};
use crate::time::Timestamp;

/// Version of the JSON.
const VERSION: u32 = 1;

/// The whole diagnosis.
pub fn diagnose(seen: &Seen) -> Diagnosis {
    let (found, not_judged) = judge(seen);
    let (notes, mut findings): (Vec<Finding>, Vec<Finding>) =
        found.iter().map(|one| written(one, seen)).partition(|finding| finding.severity == Severity::Note);
    // Stable: within a severity the deeper cause stays first.
    findings.sort_by_key(|finding| finding.severity);
    Diagnosis {
        version: VERSION,
        url: seen.url.to_string(),
        at: Timestamp::from_secs(seen.now_secs).to_string(),
        outcome: outcome(&findings, &not_judged),
        findings,
        notes,
        not_judged,
        requests: requests(seen),
    }
}

fn judge(seen: &Seen) -> (Vec<Found>, Vec<NotJudged>) {
    let mut found = Vec::new();
    let blocking = reach::judge(seen);
    let blocked = blocking.is_some();
    found.extend(blocking);
    found.extend(setup::environment(seen));
    if blocked {
        let why = "what is reported first hides it";
        return (found, vec![NotJudged { what: "everything behind it".to_owned(), why: why.to_owned() }]);
    }
    let root = verifying::root(seen);
    let hidden = root.as_ref().map(|root| root.cause);
    found.extend(root);
    if hidden.is_none() {
        found.extend(verifying::details(seen));
    }
    // A forged event that is taken hides no body limit.
    found.extend(surface::judge(seen, hidden.is_some_and(|cause| cause != Cause::SignatureNotChecked)));
    found.extend(setup::outlook(seen));
    (found, not_judged(seen, hidden))
}

fn not_judged(seen: &Seen, hidden: Option<Cause>) -> Vec<NotJudged> {
    let mut open = Vec::new();
    let mut say = |what: &str, why: &str| open.push(NotJudged { what: what.to_owned(), why: why.to_owned() });
    let verifying = "which of several signatures counts, the tolerance of time, redeliveries, sizes of bodies";
    if !seen.with_secret {
        let what = format!("whether good deliveries are taken, the secret, the bytes that are verified, {verifying}");
        say(&what, "no signing secret was given; name its variable with --secret-env");
    } else if let Some(cause) = hidden {
        let why = format!("it is hidden by {}", cause.name());
        say(verifying, &why);
    }
    let silent = seen.observations.iter().skip(1).filter(|o| o.status().is_none());
    // The big body may rightly be broken off: that is judged.
    let silent: Vec<String> = silent.filter(|o| o.probe != Probe::Big).map(|o| o.sent.clone()).collect();
    if !silent.is_empty() {
        say(&silent.join("; "), "there was no answer to it");
    }
    open
}

fn outcome(findings: &[Finding], not_judged: &[NotJudged]) -> Outcome {
    let errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    let unreachable = [Cause::HostNotFound, Cause::ConnectionRefused, Cause::NoAnswer, Cause::BrokenOff];
    match findings.first() {
        Some(first) if unreachable.contains(&first.cause) => Outcome::Unreachable,
        _ if errors => Outcome::Wrong,
        _ if !not_judged.is_empty() => Outcome::Inconclusive,
        _ => Outcome::Sound,
    }
}

fn written(found: &Found, seen: &Seen) -> Finding {
    let words = words::of(found.cause);
    let title = match &found.detail {
        Some(detail) if !detail.is_empty() => format!("{} ({detail})", words.title),
        _ => words.title.to_owned(),
    };
    let shown: Vec<_> = found.shown_by.iter().filter_map(|probe| seen.of(*probe)).collect();
    let (sent, got) = match (&found.instead, shown.as_slice()) {
        (Some(both), _) => both.clone(),
        (None, [first]) => (first.1.sent.clone(), first.1.got()),
        // The plainest two: one says little without the other.
        (None, [first, second, ..]) => {
            (format!("{}; {}", first.1.sent, second.1.sent), format!("{}; {}", first.1.got(), second.1.got()))
        }
        (None, []) => (String::new(), String::new()),
    };
    Finding {
        cause: found.cause,
        severity: found.severity,
        title,
        sent,
        got,
        why: words.why.to_owned(),
        fix: words.fix.to_owned(),
        requests: shown.iter().map(|(number, _)| *number).collect(),
    }
}

fn requests(seen: &Seen) -> Vec<Asked> {
    let asked = seen.observations.iter().enumerate().map(|(at, o)| Asked {
        number: at + 1,
        sent: o.sent.clone(),
        got: o.got(),
        status: o.status(),
        took_ms: o.took_ms,
    });
    asked.collect()
}
