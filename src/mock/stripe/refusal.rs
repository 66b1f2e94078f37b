//! Why the double refuses a call, in Stripe's shape: `{"error": {type, code, message, param, …}}`.
//!
//! Must not know: the double's state.

use crate::wire::Response;
use serde_json::{Value, json};

/// A refusal: status and error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    error: Value,
}

impl Refusal {
    fn request(status: u16, message: String) -> Self {
        Self { status, error: json!({"message": message, "type": "invalid_request_error"}) }
    }

    fn with(mut self, code: &str, param: &str) -> Self {
        self.error["code"] = code.into();
        self.error["doc_url"] = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")).into();
        self.error["param"] = param.into();
        self
    }

    pub(super) fn no_key() -> Self {
        let message = "You did not provide an API key. You need to provide your API key in the Authorization header, using \
                       Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
        Self::request(401, message.to_owned())
    }

    /// `shown` must not be the whole key.
    pub(super) fn bad_key(shown: &str) -> Self {
        Self::request(401, format!("Invalid API Key provided: {shown}"))
    }

    /// The key is restricted and may not do this; `permission` is what it lacks.
    pub(super) fn not_permitted(shown: &str, permission: &str) -> Self {
        let message = format!(
            "The provided key '{shown}' does not have the required permissions for this endpoint on account \
             'acct_hookdrill'. Having the '{permission}' permission would allow this request to continue."
        );
        Self::request(403, message)
    }

    pub(super) fn bad_version(version: &str) -> Self {
        Self::request(400, format!("Invalid Stripe API version: {version}"))
    }

    pub(super) fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!(
            "Unrecognized request URL ({method}: {path}). What this double answers stands in docs/stripe-twin.md."
        );
        Self::request(404, message)
    }

    pub(super) fn unknown_parameter(name: &str) -> Self {
        Self::request(400, format!("Received unknown parameter: {name}")).with("parameter_unknown", name)
    }

    pub(super) fn missing_parameter(name: &str) -> Self {
        Self::request(400, format!("Missing required param: {name}.")).with("parameter_missing", name)
    }

    pub(super) fn bad_integer(name: &str, value: &str) -> Self {
        Self::invalid(name, &format!("Invalid integer: {value}"), "parameter_invalid_integer")
    }

    pub(super) fn invalid(name: &str, message: &str, code: &str) -> Self {
        Self::request(400, message.to_owned()).with(code, name)
    }

    /// Nothing has this id: 404 for the thing that the path names, 400 for one that a parameter names.
    pub(super) fn no_such(status: u16, what: &str, id: &str, param: &str) -> Self {
        Self::request(status, format!("No such {what}: '{id}'")).with("resource_missing", param)
    }

    /// The thing is not in a state for this.
    pub(super) fn wrong_state(message: &str) -> Self {
        Self::request(400, message.to_owned())
    }

    /// The key was used for another request.
    pub(super) fn key_reused(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a \
             key other than '{key}' if you meant to execute a different request."
        );
        Self { status: 400, error: json!({"message": message, "type": "idempotency_error"}) }
    }

    pub(super) fn response(&self) -> Response {
        Response::json(self.status, &json!({"error": self.error}))
    }
}
