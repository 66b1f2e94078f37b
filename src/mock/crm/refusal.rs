//! Why the CRM refuses a call, in the shape that HubSpot gives to errors.
//!
//! Must not know: the CRM's state.

use super::scope::Scope;
use crate::{
    mock::{answer::correlation_id, scopes::Scope as _},
    wire::{Request, Response},
};
use serde_json::json;

/// A refusal: status, category and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    category: &'static str,
    message: String,
    allow: Option<&'static str>,
    scope: Option<Scope>,
}

impl Refusal {
    fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self { status, category, message: message.into(), allow: None, scope: None }
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

    pub(super) fn not_found(message: &str) -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", message)
    }

    pub(super) fn wrong_method(allowed: &'static str) -> Self {
        Self { allow: Some(allowed), ..Self::new(405, "METHOD_NOT_ALLOWED", "method not allowed here") }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// The message is HubSpot's to the letter: clients read the id of the winner from it.
    pub(super) fn contact_exists(id: u64) -> Self {
        Self::new(409, "CONFLICT", format!("Contact already exists. Existing ID: {id}"))
    }

    pub(super) fn response(&self, now_ms: u64, request: &Request) -> Response {
        let mut body = super::error_body(self.category, &self.message, &correlation_id(now_ms, request));
        if let Some(scope) = self.scope {
            let context = json!({ "requiredGranularScopes": [scope.name()] });
            body["errors"] =
                json!([{ "message": "One or more of the following scopes are required.", "context": context }]);
            body["links"] = json!({ "scopes": "https://developers.hubspot.com/scopes" });
        }
        let mut response = Response::json(self.status, &body);
        response.headers.extend(self.allow.map(|methods| ("allow".to_owned(), methods.to_owned())));
        response
    }
}
