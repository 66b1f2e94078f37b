//! `signature sign` and `signature verify`.

use super::hookdrill_reading;

const SECRET: (&str, &str) = ("STRIPE_WEBHOOK_SECRET", "whsec_for_this_test_alone");

#[test]
fn what_is_signed_is_accepted_and_anything_else_is_refused_with_a_reason() {
    let signed = hookdrill_reading(&["signature", "sign", "-", "--timestamp", "1000"], &[SECRET], "{}");
    assert_eq!(signed.code, 0, "{signed}");
    let header = signed.stdout.trim();
    let verify = |now: &str, body: &str| {
        hookdrill_reading(&["signature", "verify", "-", "--header", header, "--now", now], &[SECRET], body)
    };
    assert_eq!(verify("1300", "{}").code, 0);
    let old = verify("1301", "{}");
    assert_eq!((old.code, old.stdout.starts_with("refuse: ")), (1, true), "{old}");
    assert_eq!(verify("1000", "{} ").code, 1);
}

#[test]
fn the_secret_is_never_an_argument_and_its_absence_is_said() {
    let done = hookdrill_reading(&["signature", "sign", "-"], &[], "{}");
    assert_eq!(done.code, 3, "{done}");
    assert!(done.stderr.contains("STRIPE_WEBHOOK_SECRET"), "{done}");
}

#[test]
fn cases_are_read_from_standard_input_one_verdict_a_line() {
    let Some(file) = crate::shared("stripe/vectors/signatures.jsonl", "signature verify --jsonl") else { return };
    let cases = std::fs::read_to_string(file).expect("readable");
    let done = hookdrill_reading(&["signature", "verify", "--jsonl"], &[], &cases);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.stdout.lines().count(), cases.lines().count());
    for (case, verdict) in cases.lines().zip(done.stdout.lines()) {
        let case: serde_json::Value = serde_json::from_str(case).expect("a case");
        let verdict: serde_json::Value = serde_json::from_str(verdict).expect("a verdict");
        assert_eq!(case["name"], verdict["name"]);
        let rejected = case["verdict_node"] == "reject" || case["verdict_python"] == "reject";
        if rejected {
            assert_eq!(verdict["verdict"], "refuse", "{case}");
        } else if case["group"] == "valid" || case["group"] == "rotation" {
            assert_eq!(verdict["verdict"], "accept", "{case} {verdict}");
        }
    }
}

#[test]
fn a_line_that_is_no_case_is_located() {
    let done = hookdrill_reading(&["signature", "verify", "--jsonl"], &[], "\n{\"name\": 3}\n");
    assert_eq!(done.code, 3, "{done}");
    assert!(done.stderr.contains("line 2"), "{done}");
}
