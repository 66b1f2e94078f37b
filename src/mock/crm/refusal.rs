//! Why the CRM refuses a call, in the shape that HubSpot gives to errors.
//!
//! Must not know: the CRM's state.

use super::scope::Scope;
use crate::{
    mock::{answer::correlation_id, scopes::Scope as _},
    wire::{Request, Response},
};
use serde_json::{Value, json};

/// Calls in ten seconds that HubSpot's own limit allows a private app, said in the headers of a scripted 429.
const USUAL_LIMIT: usize = 110;

/// A refusal: status, category and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    category: &'static str,
    message: String,
    allow: Option<&'static str>,
    scope: Option<Scope>,
    problems: Vec<Problem>,
}

/// What is wrong with the value of one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) name: String,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(name: &str, code: &'static str, message: String) -> Self {
        Self { name: name.to_owned(), code, message }
    }
}

impl Refusal {
    fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self { status, category, message: message.into(), allow: None, scope: None, problems: Vec::new() }
    }

    pub(super) fn no_credentials() -> Self {
        Self::new(401, "INVALID_AUTHENTICATION", "Authentication credentials not found: send an `Authorization` header")
    }

    /// In the shape that HubSpot's own clients report.
    pub(super) fn missing_scope(scope: Scope) -> Self {
        let message = "This app hasn't been granted all required scopes to make this call. Read more about required scopes \
                       here: https://developers.hubspot.com/scopes.";
        Self { scope: Some(scope), ..Self::new(403, "MISSING_SCOPES", message) }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", message)
    }

    pub(super) fn wrong_method(allowed: &'static str) -> Self {
        Self { allow: Some(allowed), ..Self::new(405, "METHOD_NOT_ALLOWED", "method not allowed here") }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// Values that properties cannot have, all of them in one answer. HubSpot writes them into the message as JSON, and clients
    /// read them there.
    pub(super) fn properties(problems: Vec<Problem>) -> Self {
        let told: Vec<Value> = problems
            .iter()
            .map(|problem| {
                json!({
                    "isValid": false,
                    "message": problem.message,
                    "error": problem.code,
                    "name": problem.name,
                    "localizedErrorMessage": problem.message,
                })
            })
            .collect();
        let message = format!("Property values were not valid: {}", Value::Array(told));
        Self { problems, ..Self::invalid(message) }
    }

    /// The message is HubSpot's to the letter: clients read the id of the winner from it.
    pub(super) fn contact_exists(id: u64) -> Self {
        Self::new(409, "CONFLICT", format!("Contact already exists. Existing ID: {id}"))
    }

    pub(super) fn property_exists(name: &str) -> Self {
        Self::new(409, "OBJECT_ALREADY_EXISTS", format!("A property named '{name}' already exists."))
    }

    /// As one entry of the `errors` of a batch.
    pub(super) fn of_input(&self, context: &Value) -> Value {
        json!({ "status": "error", "category": self.category, "message": self.message, "context": context })
    }

    pub(super) fn response(&self, now_ms: u64, request: &Request) -> Response {
        let mut body = super::error_body(self.category, &self.message, &correlation_id(now_ms, request));
        if let Some(scope) = self.scope {
            let context = json!({ "requiredGranularScopes": [scope.name()] });
            body["errors"] =
                json!([{ "message": "One or more of the following scopes are required.", "context": context }]);
            body["links"] = json!({ "scopes": "https://developers.hubspot.com/scopes" });
        }
        if !self.problems.is_empty() {
            let one = |problem: &Problem| {
                json!({
                    "message": problem.message,
                    "code": problem.code,
                    "context": { "propertyName": [problem.name] },
                })
            };
            body["errors"] = self.problems.iter().map(one).collect();
        }
        let mut response = Response::json(self.status, &body);
        response.headers.extend(self.allow.map(|methods| ("allow".to_owned(), methods.to_owned())));
        response
    }
}

/// HubSpot's two short limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// All calls of a token in ten seconds.
    TenSecondly,
    /// Its searches in a second. Answers to searches carry no headers about limits.
    Secondly,
}

/// 429, to the letter: clients tell the limits apart by `policyName` or by the message.
pub(super) fn too_many(policy: Policy, most: Option<usize>, correlation_id: &str) -> Response {
    let name = match policy {
        Policy::TenSecondly => "TEN_SECONDLY_ROLLING",
        Policy::Secondly => "SECONDLY",
    };
    let body = json!({
        "status": "error",
        "message": format!("You have reached your {} limit.", name.to_lowercase()),
        "errorType": "RATE_LIMIT",
        "correlationId": correlation_id,
        "policyName": name,
    });
    let mut response = Response::json(429, &body);
    if policy == Policy::TenSecondly {
        response.headers.extend(limit_headers(most.unwrap_or(USUAL_LIMIT), 0));
    }
    response
}

/// How far the limit of ten seconds is used up.
pub(super) fn limit_headers(most: usize, left: usize) -> [(String, String); 3] {
    [
        ("x-hubspot-ratelimit-max".to_owned(), most.to_string()),
        ("x-hubspot-ratelimit-remaining".to_owned(), left.to_string()),
        ("x-hubspot-ratelimit-interval-milliseconds".to_owned(), "10000".to_owned()),
    ]
}
