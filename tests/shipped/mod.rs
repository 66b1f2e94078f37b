//! The shipped scenarios on the reference service: green when it is sound, red when it is broken, and for the right reason.

mod real_events;

use crate::cli::{Finished, hookdrill, scratch};
use serde_json::Value;
use std::path::Path;

/// Whole suites run one after another: they are the load of each other otherwise.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// The shipped scenarios without the latency objective, which is judged where nothing else runs (the gate runs the suite
/// alone, after the tests) and not beside a hundred tests.
fn scenarios_without_latency(into: &Path) {
    std::fs::create_dir_all(into).expect("a folder");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).expect("scenarios").flatten() {
        if entry.path().extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(entry.path()).expect("text");
            let kept: Vec<&str> = text.split("[[criterion]]\n").filter(|c| !c.starts_with("ack_latency")).collect();
            std::fs::write(into.join(entry.file_name()), kept.join("[[criterion]]\n")).expect("written");
        }
    }
}

const ADMIN: &str = "admin-token-of-the-suite";

/// No secret of a run (they have known beginnings) and no stack trace is in any file that it leaves, logs included.
fn nothing_leaks_in(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            nothing_leaks_in(&path);
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).into_owned();
        let found = leaks(&text);
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

fn leaks(text: &str) -> Vec<String> {
    let mut found = hookdrill::redact::leaks(text, &[ADMIN]);
    found.retain(|kind| kind != "internals");
    let known = ["whsec_", "pat-crm-", "pat-support-", "v1="].into_iter().filter(|word| text.contains(word));
    found.extend(known.map(str::to_owned));
    found
}

#[test]
fn the_scan_of_a_suite_finds_what_is_planted() {
    for planted in
        [ADMIN, "whsec_x", "pat-crm-1", "Bearer abcdefgh12345", "thread 'main' panicked at x.rs:1:2", "v1=00"]
    {
        assert!(!leaks(planted).is_empty(), "{planted}");
    }
    assert!(leaks("an ordinary line").is_empty());
}

/// Runs the whole suite, gives the end and the summary.
fn suite(extra: &[&str]) -> (Finished, Value) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = scratch();
    let (reports, scenarios) = (folder.path().join("reports"), folder.path().join("scenarios"));
    scenarios_without_latency(&scenarios);
    let mut arguments = vec!["run", scenarios.to_str().expect("text"), "--json", "--reports"];
    arguments.push(reports.to_str().expect("text"));
    arguments.extend(extra);
    // The service inherits these: its log is in the run folder, as talkative as it can be.
    let environment = [("RUST_LOG", "debug"), ("HOOKDRILL_ADMIN_TOKEN", ADMIN), ("RUST_BACKTRACE", "1")];
    let done = hookdrill(&arguments, &environment);
    nothing_leaks_in(&reports);
    let summary = serde_json::from_str(&done.stdout).unwrap_or(Value::Null);
    (done, summary)
}

/// The scenarios that were run.
fn slugs(summary: &Value) -> Vec<String> {
    let scenarios = summary["scenarios"].as_array().into_iter().flatten();
    scenarios.filter_map(|scenario| scenario["slug"].as_str()).map(str::to_owned).collect()
}

/// `scenario: criterion` of every verdict with the given validity.
fn with_validity(summary: &Value, validity: &str) -> Vec<String> {
    let mut found = Vec::new();
    for scenario in summary["scenarios"].as_array().into_iter().flatten() {
        for verdict in scenario["verdicts"]["verdicts"].as_array().into_iter().flatten() {
            if verdict["validity"] == validity {
                let (name, criterion) = (&scenario["slug"], &verdict["criterion"]);
                found.push(format!("{}: {}", name.as_str().unwrap_or("?"), criterion.as_str().unwrap_or("?")));
            }
        }
    }
    found
}

/// Scenarios that say why they cannot be simulated: a list over real sockets, real files, an app behind real sockets.
const LIVE_ONLY: usize = 3;

#[test]
fn all_are_green_on_the_sound_service() {
    let (done, summary) = suite(&["--seed", "11"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(summary["scenarios"].as_array().is_some_and(|s| s.len() >= 15), "all were run");
    assert!(with_validity(&summary, "pass").len() >= 50);
    // Live and simulated agree, verdict by verdict, on what runs in both bodies.
    let (done, simulated) = suite(&["--seed", "11", "--simulate"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let both = |of: &Value, other: &Value, validity: &str| {
        let theirs: Vec<String> = slugs(other);
        let ours = with_validity(of, validity).into_iter();
        ours.filter(|found| theirs.iter().any(|slug| found.starts_with(&format!("{slug}: ")))).collect::<Vec<_>>()
    };
    for validity in ["pass", "inconclusive", "fail"] {
        assert_eq!(both(&summary, &simulated, validity), both(&simulated, &summary, validity));
    }
    let only = |of: &Value, other: &Value| slugs(of).iter().filter(|slug| !slugs(other).contains(slug)).count();
    assert!(only(&summary, &simulated) <= LIVE_ONLY, "scenarios that are live only: {:?}", slugs(&summary));
}

fn broken(defect: &str, expected: &[&str]) {
    // Only the scenarios that should notice: a broken service uses up the patience of every other one.
    let mut arguments = vec!["--defect", defect];
    for verdict in expected {
        let (slug, _) = verdict.split_once(": ").expect("`scenario: criterion`");
        arguments.extend(["--filter", slug]);
    }
    let (done, summary) = suite(&arguments);
    assert_eq!(done.code, 1, "{defect}: {}", done.stderr);
    let failed = with_validity(&summary, "fail");
    for verdict in expected {
        assert!(failed.iter().any(|f| f == verdict), "{defect} should fail `{verdict}`; it failed {failed:#?}");
    }
}

#[test]
fn a_service_without_dedupe_is_caught() {
    broken("no-dedupe", &["contact-created-once: probe_value", "replay-creates-no-duplicates: replay_effects"]);
}

#[test]
fn a_service_that_acknowledges_before_it_persists_is_caught() {
    broken("ack-before-persist", &["killed-after-acknowledging: acked_without_effect"]);
}

#[test]
fn a_service_that_makes_a_contact_on_every_event_is_caught() {
    broken("contact-on-every-event", &["contact-created-once: contacts_per_customer"]);
}

#[test]
fn every_promised_regression_test_is_covered() {
    let promised = [
        "new user signs up (desktop and mobile) and completes checkout",
        "subscription active within 2 minutes",
        "CRM contact created exactly once",
        "support ticket routed",
        "failed payment marks the account without deleting data",
        "cancelled subscription revokes access",
        "webhook replay creates no duplicates",
        "refreshing the success page during checkout does not break fulfilment",
        "the buyer never comes back from Checkout",
        "bad payload gets a safe error",
        "three repeated test purchases leave no duplicate contact",
    ];
    let mut covered = String::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).expect("scenarios").flatten() {
        covered.push_str(&std::fs::read_to_string(entry.path()).unwrap_or_default());
    }
    for promise in promised {
        assert!(covered.contains(&format!("\"{promise}\"")), "no scenario covers `{promise}`");
    }
}
