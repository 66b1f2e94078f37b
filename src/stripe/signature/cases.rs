//! Signature cases as JSON lines: one delivery in, one verdict out, for comparing verifiers with each other.
//!
//! Must not know: where the lines come from.

use super::{Tolerance, verify};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// One case. Further keys of the line are ignored, so that a corpus may carry notes and the verdicts of others.
#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    name: String,
    secrets: Vec<String>,
    #[serde(default = "default_tolerance")]
    tolerance_s: i64,
    now: i64,
    #[serde(default)]
    header: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
    #[serde(default)]
    body: Option<String>,
}

fn default_tolerance() -> i64 {
    Tolerance::DEFAULT.secs()
}

/// What is said of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseVerdict {
    /// The case's name, empty when it has none.
    pub name: String,
    /// Accepted or refused.
    pub verdict: Verdict,
    /// Why it is refused; `null` when it is accepted.
    pub reason: Option<String>,
}

/// Accepted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Trusted.
    Accept,
    /// Not trusted.
    Refuse,
}

/// Why a line is no case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// Not JSON, or a key is missing or of another type.
    #[error("not a signature case: {0}")]
    Json(String),
    /// Neither or both of `body` and `body_base64`.
    #[error("not a signature case: give either `body` (text) or `body_base64`")]
    Body,
    /// `body_base64` is not base64.
    #[error("not a signature case: `body_base64` is not base64 ({0})")]
    Base64(String),
}

/// Judges one line: an object with `name`, `secrets` (list), `tolerance_s` (300 when absent), `now` (Unix seconds),
/// `header` (may be null) and `body` or `body_base64`.
///
/// # Errors
/// When the line is no such object.
pub fn judge_line(line: &str) -> Result<CaseVerdict, CaseError> {
    let case: Case = serde_json::from_str(line).map_err(|error| CaseError::Json(error.to_string()))?;
    let body = match (case.body, case.body_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => STANDARD.decode(text).map_err(|error| CaseError::Base64(error.to_string()))?,
        (None, None) | (Some(_), Some(_)) => return Err(CaseError::Body),
    };
    let secrets: Vec<&str> = case.secrets.iter().map(String::as_str).collect();
    let tolerance = Tolerance::from_secs(case.tolerance_s);
    let (verdict, reason) = match verify(case.header.as_deref(), &body, &secrets, tolerance, case.now) {
        Ok(()) => (Verdict::Accept, None),
        Err(error) => (Verdict::Refuse, Some(error.to_string())),
    };
    Ok(CaseVerdict { name: case.name, verdict, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::signature::{header, sign};

    #[test]
    fn judges_a_line_and_answers_in_one() {
        let signed = header(100, &[sign("whsec_x", 100, b"{}")]);
        let line = format!(r#"{{"name":"a","secrets":["whsec_x"],"now":101,"header":"{signed}","body":"{{}}","n":1}}"#);
        let verdict = judge_line(&line).expect("a case");
        assert_eq!(serde_json::to_string(&verdict).expect("json"), r#"{"name":"a","verdict":"accept","reason":null}"#);
        let late = judge_line(&line.replace("101", "401")).expect("a case");
        assert_eq!(
            (late.verdict, late.reason.as_deref()),
            (Verdict::Refuse, Some("signed 301 s ago, tolerance 300 s"))
        );
        let none = judge_line(r#"{"secrets":["s"],"now":1,"header":null,"body_base64":"e30="}"#).expect("a case");
        assert_eq!(none.reason.as_deref(), Some("no Stripe-Signature header"));
    }

    #[test]
    fn says_why_a_line_is_no_case() {
        assert!(matches!(judge_line("{"), Err(CaseError::Json(_))));
        assert_eq!(judge_line(r#"{"secrets":["s"],"now":1}"#), Err(CaseError::Body));
        assert!(matches!(judge_line(r#"{"secrets":["s"],"now":1,"body_base64":"*"}"#), Err(CaseError::Base64(_))));
    }
}
