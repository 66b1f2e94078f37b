//! Why the desk refuses a call, in the shapes that Zendesk gives to errors.
//!
//! Must not know: the desk's state.

use super::scope::Scope;
use crate::{mock::scopes::Scope as _, wire::Response};
use serde_json::{Value, json};

/// A refusal: status and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    body: Value,
}

impl Refusal {
    pub(super) fn no_credentials() -> Self {
        Self { status: 401, body: json!({ "error": "Couldn't authenticate you" }) }
    }

    pub(super) fn missing_scope(scope: Scope) -> Self {
        let description = format!("Missing the following required scopes: {}", scope.name());
        Self { status: 403, body: json!({ "error": "Forbidden", "description": description }) }
    }

    pub(super) fn no_such_endpoint() -> Self {
        Self { status: 404, body: json!({ "error": "InvalidEndpoint", "description": "Not found" }) }
    }

    pub(super) fn no_such_record() -> Self {
        Self { status: 404, body: json!({ "error": "RecordNotFound", "description": "Not found" }) }
    }

    pub(super) fn no_json(error: &serde_json::Error) -> Self {
        let message = format!("Server could not parse JSON: {error}");
        Self { status: 422, body: json!({ "error": "Unprocessable Entity", "message": message }) }
    }

    /// The shape of a value is wrong.
    pub(super) fn invalid_attribute(name: &str) -> Self {
        let message = format!("You passed an invalid value for the {name} attribute");
        Self { status: 400, body: json!({ "error": { "title": "Invalid attribute", "message": message } }) }
    }

    pub(super) fn bad_key(description: String) -> Self {
        Self { status: 400, body: json!({ "error": "IdempotentRequestError", "description": description }) }
    }

    /// The value has the right shape and a ticket cannot have it.
    pub(super) fn record_invalid(field: &str, error: &str, description: &str) -> Self {
        let details = json!({ field: [{ "description": description, "error": error }] });
        let body = json!({ "error": "RecordInvalid", "description": "Record validation errors", "details": details });
        Self { status: 422, body }
    }

    pub(super) fn bad_query(description: &str) -> Self {
        Self {
            status: 422,
            body: json!({ "error": "invalid", "description": format!("Invalid search: {description}") }),
        }
    }

    /// A safe update came too late.
    pub(super) fn update_conflict() -> Self {
        let description = "Safe Update prevented the update due to outdated ticket data. Please fetch the latest ticket data and try again.";
        Self { status: 409, body: json!({ "error": "UpdateConflict", "description": description }) }
    }

    pub(super) fn too_many_values(most: usize) -> Self {
        let description = format!("Maximum number of values exceeded: {most}");
        Self { status: 400, body: json!({ "error": "TooManyValues", "description": description }) }
    }

    /// What is wrong, in two words and in a sentence, for the results of a job.
    pub(super) fn words(&self) -> (Value, Value) {
        let text = |name: &str| self.body.get(name).cloned().unwrap_or_default();
        (text("error"), text("description"))
    }

    pub(super) fn response(&self) -> Response {
        Response::json(self.status, &self.body)
    }
}

/// 429 in Zendesk's words.
pub(super) fn too_many() -> Response {
    let description = "Number of allowed API requests per minute exceeded";
    Response::json(429, &json!({ "error": "APIRateLimitExceeded", "description": description }))
}
