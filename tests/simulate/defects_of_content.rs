//! The deliberate defects of transport, signatures, versions, money and identity (classes 37 to 64): each fails a criterion of
//! a shipped scenario, under the name of its anomaly, and the sound service passes that scenario.

use super::simulate;
use hookdrill::service::Defect;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A scenario, maybe with the value of a parameter, and the defects that it catches, each by a criterion.
type Row = (&'static str, &'static [(&'static str, &'static str)]);

const TRANSPORT: &[Row] = &[
    ("alert-webhook-failures", &[("errors-answered-200", "customer_state")]),
    (
        "bad-payload-safe-error",
        &[
            ("malformed-accepted", "unsafe_errors"),
            ("malformed-fails", "unsafe_errors"),
            ("unknown-type-fails", "events_lost"),
        ],
    ),
    ("events-of-others", &[("foreign-fails", "unsafe_errors")]),
    ("crm-down-during-purchase", &[("calls-before-ack", "ack_latency")]),
    ("redirected-endpoint", &[("redirects-slash", "activation"), ("redirects-plain-http", "activation")]),
];

const SIGNATURES: &[Row] = &[
    (
        "secret-roll",
        &[
            ("csrf-in-front", "events_lost"),
            ("secret-unset-fails", "events_lost"),
            ("first-v1-only", "events_lost"),
            ("last-v1-only", "events_lost"),
        ],
    ),
    (
        "awkward-but-good",
        &[("small-bodies", "events_lost"), ("body-reserialised", "events_lost"), ("body-trimmed", "events_lost")],
    ),
    (
        "signatures-of-the-future",
        &[("secret-unset-accepts-all", "forgery_traces"), ("one-sided-tolerance", "forgery_traces")],
    ),
    (
        "forged-webhooks-leave-no-trace",
        &[
            ("unsigned-accepted", "forgery_traces"),
            ("no-tolerance", "forgery_traces"),
            ("forged-marks-seen", "customer_state"),
        ],
    ),
];

const VERSIONS: &[Row] = &[
    ("versions how=period_on_top", &[("version-pinned", "events_lost"), ("period-on-items-only", "access")]),
    ("versions how=period_on_items", &[("period-at-top-level", "access")]),
    ("versions how=unknown_values", &[("closed-enums", "events_lost")]),
    ("versions how=extra_fields", &[("closed-fields", "events_lost")]),
    ("ticket-routed", &[("invoice-old-path", "tickets_per_failed_invoice")]),
    ("invoice-of-no-subscription", &[("invoice-without-subscription-fails", "events_lost")]),
];

const MONEY: &[Row] = &[
    (
        "refunds-add-up",
        &[
            ("refund-ignored", "access"),
            ("only-charge-refunded", "access"),
            ("early-refund-dropped", "access"),
            ("zero-invoice-pays", "access"),
        ],
    ),
    ("any-order", &[("partial-refund-revokes", "access")]),
    (
        "disputed-payments",
        &[
            ("dispute-ignored", "access"),
            ("dispute-opened-ignored", "acked_without_effect"),
            ("open-dispute-revokes", "access"),
        ],
    ),
    (
        "bank-debits-and-left-pages",
        &[
            ("checkout-without-customer-fails", "events_lost"),
            ("provisions-unpaid", "access"),
            ("entitled-by-price", "access"),
        ],
    ),
    ("money-comes-later", &[("later-payment-ignored", "probe_value"), ("yen-times-hundred", "probe_value")]),
];

const IDENTITY: &[Row] = &[
    ("worker-dies-holding-a-job", &[("deletion-ignored", "customer_state")]),
    ("events-of-others", &[("livemode-not-checked", "forgery_traces"), ("account-not-checked", "forgery_traces")]),
    (
        "contact-made-a-moment-ago",
        &[("email-not-unique", "contacts_per_customer"), ("conflict-is-failure", "manual_steps")],
    ),
];

/// Failed criteria, each with the anomalies that it was given (a matrix judges it several times).
fn failed(summary: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let scenarios = summary["scenarios"].as_array().cloned().unwrap_or_default();
    let verdicts = scenarios.iter().flat_map(|scenario| scenario["verdicts"]["verdicts"].as_array().cloned());
    let mut failed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for verdict in verdicts.flatten().filter(|verdict| verdict["validity"] == "fail") {
        let word = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
        failed.entry(word("criterion")).or_default().insert(word("anomaly"));
    }
    failed
}

fn all_are_caught(rows: &[Row]) {
    for (scenario, defects) in rows {
        let (scenario, parameter) = scenario.split_once(' ').unwrap_or((scenario, ""));
        let (file, filter) = (format!("scenarios/{scenario}.toml"), format!("*{parameter}*"));
        let run = [file.as_str(), "--filter", filter.as_str()];
        let (done, _) = simulate(&run);
        assert_eq!(done.code, 0, "the sound service: {done}");
        for (name, criterion) in *defects {
            let (done, summary) = simulate(&[run.as_slice(), &["--defect", name]].concat());
            assert_eq!(done.code, 1, "{name}: {done}");
            let failed = failed(&summary);
            let Some(anomalies) = failed.get(*criterion) else {
                panic!("{name} should fail {scenario}: {criterion}, not {failed:?}")
            };
            let right = Defect::named(name).expect("a defect").anomaly();
            let named = anomalies.len() == 1 && anomalies.contains(right);
            assert!(named, "{name} is {right}, and {criterion} says {anomalies:?}");
        }
    }
}

#[test]
fn defects_of_transport_are_caught() {
    all_are_caught(TRANSPORT);
}

#[test]
fn defects_of_signatures_are_caught() {
    all_are_caught(SIGNATURES);
}

#[test]
fn defects_of_versions_are_caught() {
    all_are_caught(VERSIONS);
}

#[test]
fn defects_of_money_are_caught() {
    all_are_caught(MONEY);
}

#[test]
fn defects_of_identity_are_caught() {
    all_are_caught(IDENTITY);
}
