//! The simulated body: the same bytes every time, copies that go on alike, no false alarm, and every defect noticed.

mod defects;
mod defects_of_content;
mod faults;
mod same_bytes;
mod snapshots;

use crate::cli::{Finished, hookdrill, scratch};
use serde_json::Value;

/// Runs `hookdrill run --simulate --json …`; gives the end and the summary.
pub(crate) fn simulate(arguments: &[&str]) -> (Finished, Value) {
    let folder = scratch();
    let reports = folder.path().join("reports");
    let mut all = vec!["run", "--simulate", "--json", "--reports", reports.to_str().expect("text")];
    all.extend(arguments);
    let done = hookdrill(&all, &[]);
    let summary = serde_json::from_str(&done.stdout).unwrap_or(Value::Null);
    (done, summary)
}

/// The `crashed_at` rows of the one scenario of a summary: point, tried, not passed.
pub(crate) fn crashes(summary: &Value) -> Vec<(String, u64, u64)> {
    let rows = summary["scenarios"][0]["crashed_at"].as_array().cloned().unwrap_or_default();
    let number = |row: &Value, name: &str| row[name].as_u64().expect("a count");
    rows.iter()
        .map(|row| {
            let not_passed = number(row, "failed") + number(row, "inconclusive");
            (row["point"].as_str().expect("a point").to_owned(), number(row, "tried"), not_passed)
        })
        .collect()
}

#[test]
fn three_days_take_no_time_and_lose_nothing() {
    let (done, summary) = simulate(&["scenarios/three-days-of-retries.toml"]);
    assert_eq!(done.code, 0, "{done}");
    let scenario = &summary["scenarios"][0];
    assert!(scenario["duration_ms"].as_u64().is_some_and(|ms| ms > 2 * 86_400_000), "{scenario}");
    assert!(scenario["attempts"].as_u64() > scenario["deliveries"].as_u64());
}

#[test]
fn two_hundred_random_schedules_give_no_false_alarm() {
    let (done, summary) = simulate(&["scenarios/random-schedule.toml", "--seeds", "200"]);
    assert_eq!(done.code, 0, "{done}");
    let seeds = &summary["scenarios"][0]["seeds"];
    assert_eq!((&seeds["tried"], &seeds["failed"], &seeds["inconclusive"]), (&200.into(), &0.into(), &0.into()));
}

#[test]
fn a_crash_at_every_point_is_survived_and_told_by_name() {
    for scenario in ["killed-after-acknowledging", "random-schedule", "update-after-cancellation", "double-click"] {
        let (done, summary) = simulate(&[&format!("scenarios/{scenario}.toml"), "--crash-everywhere"]);
        assert_eq!(done.code, 0, "{scenario}: {done}");
        let crashes = crashes(&summary);
        let all = [
            "delivery arrived",
            "batch taken",
            "ingest committed",
            "answer sent",
            "queue looked",
            "job claimed",
            "call sent",
        ];
        for point in all.into_iter().chain(["call took effect", "call answered", "job finished"]) {
            let row = crashes.iter().find(|(name, ..)| name == point);
            assert!(
                row.is_some_and(|(_, tried, not_passed)| *tried > 0 && *not_passed == 0),
                "{scenario}: {crashes:?}"
            );
        }
    }
}

#[test]
fn where_nothing_is_tried_again_nothing_is_crashed_and_that_is_said() {
    let (done, summary) = simulate(&["scenarios/all-at-once.toml", "--crash-everywhere"]);
    assert_eq!(done.code, 0, "{done}");
    assert!(crashes(&summary).is_empty() && done.stdout.contains("nothing is tried again"), "{done}");
}

#[test]
fn reconciliation_survives_a_crash_at_every_point() {
    let (done, summary) = simulate(&["scenarios/reconciliation-under-crashes.toml", "--crash-everywhere"]);
    assert_eq!(done.code, 0, "{done}");
    let crashes = crashes(&summary);
    assert!(crashes.iter().all(|(_, tried, not_passed)| *tried > 0 && *not_passed == 0), "{crashes:?}");
}

/// Runs a shipped scenario after a change of its text; gives the validity of its criterion `alerts`.
fn alerts_of(scenario: &str, change: (&str, &str)) -> String {
    let text = std::fs::read_to_string(format!("scenarios/{scenario}.toml")).expect("a scenario");
    assert!(text.contains(change.0), "{scenario} has no {}", change.0);
    let folder = scratch();
    let file = folder.path().join("changed.toml");
    std::fs::write(&file, text.replace(change.0, change.1)).expect("written");
    let (done, summary) = simulate(&[file.to_str().expect("text")]);
    let verdicts = summary["scenarios"][0]["verdicts"]["verdicts"].as_array().cloned().unwrap_or_default();
    let verdict = verdicts.iter().find(|verdict| verdict["criterion"] == "alerts");
    verdict.and_then(|verdict| verdict["validity"].as_str()).unwrap_or_else(|| panic!("{done}")).to_owned()
}

#[test]
fn alerts_are_silent_just_below_what_calls_for_them() {
    // In time after all; too few failures to matter; three duplicates a day are allowed.
    assert_eq!(alerts_of("alert-late-activation", ("by = \"5m\"", "by = \"1m\"")), "fail");
    assert_eq!(alerts_of("alert-webhook-failures", ("for = \"1m\" }", "for = \"1ms\" }")), "fail");
    assert_eq!(alerts_of("alert-duplicate-customers", ("instances = 4", "instances = 3")), "fail");
}

#[test]
fn an_alert_that_nobody_expects_fails() {
    assert_eq!(alerts_of("alert-late-activation", ("[\"activation_late\"]", "\"none\"")), "fail");
    assert_eq!(alerts_of("dropped-event-repaired", ("stripe = true", "stripe = true ")), "pass");
}

#[test]
fn what_arrives_during_a_commit_shares_the_next_and_a_crash_there_is_survived() {
    let folder = scratch();
    let text = r#"
version = 1
name = "many at once"
about = "Every event nine times at the same moment, so that copies meet in one commit."
[[story]]
name = "purchase"
recording = "checkout-subscription"
[[fault]]
duplicate = { of = "checkout.session.completed", copies = 9, spacing = "0s" }
[[criterion]]
events_lost = { exactly = 0 }
[[criterion]]
contacts_per_customer = { exactly = 1 }
[[criterion]]
customer_state = { is = "as the story says" }
"#;
    let file = folder.path().join("many-at-once.toml");
    std::fs::write(&file, text).expect("written");
    let (done, summary) = simulate(&[file.to_str().expect("text"), "--crash-everywhere"]);
    assert_eq!(done.code, 0, "{done}");
    let crashes = crashes(&summary);
    let tried = |point: &str| crashes.iter().find(|(name, ..)| name == point).map_or(0, |(_, tried, _)| *tried);
    let (commits, answers) = (tried("ingest committed"), tried("answer sent"));
    assert!(commits > 0 && commits + 4 <= answers, "{commits} commits, {answers} answers");
}

#[test]
fn what_needs_sockets_is_listed_and_does_not_decide() {
    let folder = scratch();
    let text = std::fs::read_to_string("scenarios/secret-roll.toml").expect("a scenario");
    let live = text.replacen("version = 1", "version = 1\nbody = { live = \"real headers\" }", 1);
    let file = folder.path().join("live.toml");
    std::fs::write(&file, live).expect("written");
    let file = file.to_str().expect("text");
    let (done, summary) = simulate(&[file, "scenarios/secret-roll.toml"]);
    assert_eq!(done.code, 0, "{done}");
    assert_eq!(summary["not_run"][0]["why"], "it runs live only: real headers");
    let (done, _) = simulate(&[file]);
    assert_eq!(done.code, 2, "nothing ran, so nothing was shown: {done}");
}

#[test]
fn a_live_run_simulates_what_can_only_be_simulated() {
    let folder = scratch();
    let reports = folder.path().to_str().expect("text");
    let done = hookdrill(&["run", "scenarios/duplicate-after-three-days.toml", "--reports", reports], &[]);
    assert_eq!(done.code, 0, "{done}");
}
