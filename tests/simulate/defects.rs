//! Every deliberate defect of the first set is noticed in simulation: by a scenario, by a crash at some point, or within
//! two thousand seeds. The sound service passes the same runs.

use super::{crashes, simulate};
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

/// `scenario: criterion` that fails under the defect in one plain run of the scenario.
fn by_scenario(defect: &str, scenario: &str, criterion: &str) {
    let file = format!("scenarios/{scenario}.toml");
    let (done, summary) = simulate(&[&file, "--defect", defect]);
    assert_eq!(done.code, 1, "{defect}: {done}");
    let verdicts = summary["scenarios"][0]["verdicts"]["verdicts"].as_array().cloned().unwrap_or_default();
    let failed: Vec<_> = verdicts.iter().filter(|v| v["validity"] == "fail").map(|v| v["criterion"].clone()).collect();
    assert!(
        failed.iter().any(|name| name == criterion),
        "{defect} should fail {scenario}: {criterion}, not {failed:?}"
    );
    has_the_right_name(defect, &summary);
    let (done, _) = simulate(&[&file]);
    assert_eq!(done.code, 0, "the sound service: {done}");
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
fn class_4_seen_is_applied_by_a_scenario() {
    by_scenario("seen-is-applied", "worker-dies-holding-a-job", "acked_without_effect");
}

#[test]
fn class_11_last_arrival_wins_by_a_scenario() {
    by_scenario("last-arrival-wins", "same-second-in-both-orders", "customer_state");
}

#[test]
fn class_13_strictly_newer_wins_by_a_scenario() {
    by_scenario("strictly-newer-wins", "same-second-in-both-orders", "customer_state");
}

#[test]
fn class_18_update_revives_by_a_scenario() {
    by_scenario("update-revives", "update-after-cancellation", "customer_state");
}

#[test]
fn class_29_job_before_commit_by_a_scenario() {
    by_scenario("job-before-commit", "any-order", "contacts_per_customer");
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
fn class_32_lease_never_reclaimed_by_a_scenario() {
    by_scenario("lease-never-reclaimed", "worker-dies-holding-a-job", "manual_steps");
}

#[test]
fn class_34_ticket_not_keyed_by_a_scenario() {
    by_scenario("ticket-not-keyed", "worker-dies-holding-a-job", "tickets_per_failed_invoice");
}

#[test]
fn class_66_reconciliation_that_stops_early_by_a_scenario() {
    by_scenario("reconcile-stops-early", "dropped-event-repaired", "events_lost");
}

#[test]
fn class_34_task_not_searched_by_a_scenario() {
    by_scenario("task-not-searched", "crm-tasks-once", "crm_tasks");
}

#[test]
fn class_39_no_default_queue_by_a_scenario() {
    by_scenario("no-default-queue", "support-requests-routed", "tickets_per_request");
}
