//! Why the workspace refuses a call, in the shape that Intercom gives to errors.
//!
//! Must not know: the workspace's state.

use crate::wire::Response;

/// Calls in ten seconds that Intercom's own limit allows an app, said in a scripted 429.
const USUAL_LIMIT: usize = 1_666;

/// A refusal: status, code and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn no_credentials() -> Self {
        Self::new(401, "unauthorized", "Access Token Invalid")
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::new(404, "not_found", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "parameter_invalid", message)
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(400, "parameter_not_found", message)
    }

    pub(super) fn no_json(error: &serde_json::Error) -> Self {
        Self::new(400, "bad_request", format!("the body is no JSON: {error}"))
    }

    /// The message is Intercom's to the letter: clients read the id of the first from it.
    pub(super) fn exists(id: &str, archived: bool) -> Self {
        let what = if archived { "An archived contact" } else { "A contact" };
        Self::new(409, "conflict", format!("{what} matching those details already exists with id={id}"))
    }

    pub(super) fn response(&self, id: &str) -> Response {
        Response::json(self.status, &super::error_body(self.code, &self.message, id))
    }
}

/// 429 in Intercom's words.
pub(super) fn too_many(most: Option<usize>, id: &str) -> Response {
    let message = format!("Exceeded rate limit of {} in 10_seconds", most.unwrap_or(USUAL_LIMIT));
    Response::json(429, &super::error_body("rate_limit_exceeded", &message, id))
}
