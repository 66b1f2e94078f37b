//! `summary.json`: the report for programs.
//!
//! Must not know: anything but the report.

use super::{RunReport, exit_code};
use crate::check::verdict::Verdicts;
use serde_json::{Value, json};

/// The report as JSON, with the totals that every consumer would count again, and a line end.
pub fn render(report: &RunReport) -> String {
    let mut value = serde_json::to_value(report).unwrap_or(Value::Null);
    if let Value::Object(fields) = &mut value {
        fields.insert("ending".into(), json!(report.ending().word()));
        fields.insert("exit_code".into(), json!(exit_code(report)));
        fields.insert("started_utc".into(), json!(report.started.to_string()));
        if let Some(Value::Array(scenarios)) = fields.get_mut("scenarios") {
            for (scenario, of) in scenarios.iter_mut().zip(&report.scenarios) {
                scenario["ending"] = json!(of.ending().word());
                if let Some(anomaly) = of.verdicts.as_ref().and_then(Verdicts::anomaly) {
                    scenario["anomaly"] = json!(anomaly);
                }
            }
        }
    }
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::verdict::Validity,
        report::samples::{broken, report, scenario, verdict},
    };

    #[test]
    fn a_summary_reads_back_as_the_report_and_holds_totals() {
        let report = report(vec![scenario("a b", vec![verdict("access", Validity::Fail)]), broken("c")]);
        let text = render(&report);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&value["version"], &value["ending"], &value["exit_code"], &value["started_utc"]),
            (&json!(1), &json!("broken"), &json!(4), &json!("2026-01-15T10:00:00.123Z"))
        );
        assert_eq!(value["scenarios"][0]["ending"], "failed");
        assert_eq!(value["scenarios"][0]["anomaly"], "duplicate");
        assert_eq!(value["scenarios"][0]["verdicts"]["verdicts"][0]["anomaly"], "duplicate");
        assert_eq!(serde_json::from_str::<RunReport>(&text).expect("a report"), report);
        assert!(text.ends_with("}\n"));
    }
}
