//! Every deliberate defect is caught in simulation, by a plain run of a scenario that says so; some show in other ways too: by
//! a crash at some point, or within two hundred seeds. The sound service passes the same runs.

use super::{crashes, simulate};
use crate::cli::hookdrill;
use hookdrill::{check::verdict::Verdicts, service::defects::Defect};
use serde_json::Value;

/// The run goes by the name that the table of defects gives.
#[track_caller]
fn has_the_right_name(defect: &str, summary: &Value) {
    let verdicts: Verdicts = serde_json::from_value(summary["scenarios"][0]["verdicts"].clone()).expect("verdicts");
    let expected = Defect::named(defect).map(Defect::anomaly);
    assert_eq!(verdicts.anomaly().map(|anomaly| anomaly.word()), expected, "{defect}: {verdicts:#?}");
    let failed = verdicts.verdicts.iter().filter(|verdict| verdict.anomaly.is_some());
    assert!(failed.clone().count() > 0 && failed.clone().all(|v| v.chain.len() <= 12), "{verdicts:#?}");
}

/// Nothing shows without a crash; crashed at `point` the service does not pass. Without the defect it does
/// (`a_crash_at_every_point…`).
fn by_crash(defect: &str, scenario: &str, point: &str, code: i32) {
    let file = format!("scenarios/{scenario}.toml");
    let (done, _) = simulate(&[&file, "--defect", defect]);
    assert_eq!(done.code, 0, "{defect} shows without a crash: {done}");
    let (done, summary) = simulate(&[&file, "--crash-everywhere", "--defect", defect]);
    assert_eq!(done.code, code, "{defect}: {done}");
    has_the_right_name(defect, &summary);
    let crashes = crashes(&summary);
    let row = crashes.iter().find(|(name, ..)| name == point);
    assert!(row.is_some_and(|(_, _, not_passed)| *not_passed > 0), "{defect} at {point}: {crashes:?}");
}

#[test]
fn class_2_dedupe_in_memory_by_a_crash() {
    by_crash("dedupe-in-memory", "killed-after-acknowledging", "ingest committed", 1);
}

#[test]
fn class_3_check_then_insert_within_two_thousand_seeds() {
    let (done, summary) =
        simulate(&["scenarios/random-schedule.toml", "--seeds", "200", "--defect", "check-then-insert"]);
    assert_eq!(done.code, 1, "{done}");
    assert!(summary["scenarios"][0]["seeds"]["failed"].as_u64() > Some(0), "{summary}");
    has_the_right_name("check-then-insert", &summary);
}

#[test]
fn class_30_job_after_commit_by_a_crash() {
    by_crash("job-after-commit", "failed-payment-keeps-data", "ingest committed", 1);
}

#[test]
fn class_31_ack_before_persist_by_a_crash() {
    by_crash("ack-before-persist", "secret-roll", "answer sent", 1);
}

#[test]
fn every_defect_is_caught_under_its_name_by_a_scenario_that_covers_its_class() {
    let done = hookdrill(&["teeth", "--quick", "--seeds", "1", "--crashes", "0", "--json"], &[]);
    assert_eq!(done.code, 0, "{done}");
    let found: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    let defects = found["defects"].as_array().expect("defects");
    assert!(defects.len() >= 40 && defects.len() + 1 == Defect::all().len(), "{} of all but one", defects.len());
    for defect in defects {
        assert_eq!(defect["anomaly"], defect["expected_anomaly"], "{defect:#}");
        assert_eq!(defect["covered"], true, "a scenario catches it and does not say so: {defect:#}");
    }
    assert_eq!(found["not_hunted"][0]["name"], "commit-not-synced", "which a trace of system calls shows");
}

/// `criterion` fails under the defect in one plain run of the scenario, and holds without it.
fn by_scenario(defect: &str, scenario: &str, criterion: &str) {
    let file = format!("scenarios/{scenario}.toml");
    let (done, summary) = simulate(&[&file, "--defect", defect]);
    assert_eq!(done.code, 1, "{defect}: {done}");
    has_the_right_name(defect, &summary);
    let verdicts = summary["scenarios"][0]["verdicts"]["verdicts"].as_array().cloned().unwrap_or_default();
    assert!(verdicts.iter().any(|v| v["criterion"] == criterion && v["validity"] == "fail"), "{criterion}: {done}");
    assert_eq!(simulate(&[&file]).0.code, 0, "the sound service");
}

#[test]
fn class_31_ack_before_persist_by_a_stop_and_by_a_locked_store() {
    by_scenario("ack-before-persist", "stopped-while-busy", "acked_without_effect");
    by_scenario("ack-before-persist", "store-locked", "acked_without_effect");
}

#[test]
fn class_34_ticket_not_keyed_by_a_long_tail() {
    by_scenario("ticket-not-keyed", "downstream-long-tail", "tickets_per_failed_invoice");
}
