//! Scripted outages: whether a call is answered by an error instead of the double, and how long it takes.
//!
//! A call that an outage answers never reaches the model. Belongs to the shell: the models know nothing of it.
//! Must not know: sockets, clocks.

use super::{crm, desk, intercom};
use crate::{plan::model::Outage, scenario::fault::Double, wire::Response};
use serde_json::json;
use std::time::Duration;

/// What the outages of one moment do to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interference {
    /// Answered with this instead of by the model.
    pub answer: Option<Response>,
    /// How long the answer takes, whoever gives it.
    pub delay: Duration,
    /// What happens, in words.
    pub fault: Option<String>,
}

/// What `outages` do to a call of the double `of` at `now_ms`. When several are on at once, the first that answers does
/// so and the longest delay counts.
pub fn decide(outages: &[Outage], of: Double, shape: Shape, operation: &str, now_ms: u64) -> Interference {
    let is_on = |outage: &&Outage| outage.of == of && (outage.from_ms..outage.until_ms).contains(&now_ms);
    let on: Vec<&Outage> = outages.iter().filter(is_on).collect();
    let slowest = on.iter().max_by_key(|outage| outage.delay_ms).filter(|outage| outage.delay_ms > 0);
    let said = on.iter().find(|outage| outage.answer.is_some()).into_iter().chain(slowest);
    let said: Vec<String> = said.map(|outage| outage.what()).collect();
    Interference {
        fault: (!said.is_empty()).then(|| said.join("; ")),
        answer: on.iter().find_map(|outage| Some(answer(shape, operation, outage.answer?, outage.retry_after_s))),
        delay: Duration::from_millis(on.iter().map(|outage| outage.delay_ms).max().unwrap_or(0)),
    }
}

/// Whose errors a double writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// HubSpot's.
    HubSpot,
    /// Zendesk's.
    Zendesk,
    /// Intercom's.
    Intercom,
    /// Stripe's.
    Stripe,
    /// Nobody's: those of the receiver of alerts.
    Plain,
}

/// An error as the API that is doubled writes it.
pub(super) fn answer(shape: Shape, operation: &str, status: u16, retry_after_s: Option<u64>) -> Response {
    let mut response = match (shape, status) {
        (Shape::HubSpot, 429) => crm::rate_limited(operation, NO_CALL),
        (Shape::Zendesk, 429) => desk::rate_limited(),
        (Shape::Intercom, 429) => intercom::rate_limited(NO_CALL),
        (shape, status) => Response::json(status, &body(shape, status)),
    };
    if shape == Shape::Stripe {
        response.headers.push(("request-id".to_owned(), "req_scriptedoutage".to_owned()));
        // Stripe's libraries repeat a 429 only where it says so.
        if matches!(status, 409 | 429) {
            response.headers.push(("stripe-should-retry".to_owned(), "true".to_owned()));
        }
    }
    response.headers.extend(retry_after_s.map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
    response
}

fn body(shape: Shape, status: u16) -> serde_json::Value {
    let hubspot = |category, message| crm::error_body(category, message, NO_CALL);
    match (shape, status) {
        (Shape::HubSpot, 401) => hubspot("INVALID_AUTHENTICATION", "Authentication failed"),
        (Shape::HubSpot, 403) => hubspot("MISSING_SCOPES", "A required scope is missing"),
        (Shape::HubSpot, 409) => hubspot("CONFLICT", "The object is being written by another call"),
        (Shape::HubSpot, _) => hubspot("INTERNAL_ERROR", "scripted outage"),
        (Shape::Zendesk, 401) => json!({ "error": "Couldn't authenticate you" }),
        (Shape::Zendesk, 403) => json!({ "error": "Forbidden", "description": "A required scope is missing" }),
        (Shape::Zendesk, 409) => json!({ "error": "Conflict", "description": "Written by another call" }),
        (Shape::Zendesk, _) => json!({ "error": "ScriptedOutage", "description": "scripted outage" }),
        (Shape::Intercom, 401) => intercom::error_body("unauthorized", "Access Token Invalid", NO_CALL),
        (Shape::Intercom, 403) => intercom::error_body("forbidden", "The token lacks a permission", NO_CALL),
        (Shape::Intercom, 409) => intercom::error_body("conflict", "Written by another call", NO_CALL),
        (Shape::Intercom, _) => intercom::error_body("server_error", "scripted outage", NO_CALL),
        (Shape::Stripe, 429) => stripe_refusal("invalid_request_error", "rate_limit", TOO_MANY),
        (Shape::Stripe, 401) => stripe_error("invalid_request_error", "Invalid API Key provided."),
        (Shape::Stripe, 403) => stripe_error("invalid_request_error", "The key lacks a required permission."),
        (Shape::Stripe, 409) => stripe_refusal("idempotency_error", "idempotency_key_in_use", IN_PROGRESS),
        (Shape::Stripe, _) => stripe_error("api_error", "scripted outage"),
        (Shape::Plain, _) => json!({ "error": "scripted outage" }),
    }
}

const TOO_MANY: &str =
    "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.";
const IN_PROGRESS: &str = "There is currently another in-progress request using this Idempotent Key (that probably means you \
                           submitted twice, and the other request is still going through). Please try again later.";

fn stripe_refusal(kind: &str, code: &str, message: &str) -> serde_json::Value {
    json!({ "error": { "code": code, "message": message, "type": kind } })
}

fn stripe_error(kind: &str, message: &str) -> serde_json::Value {
    json!({ "error": { "type": kind, "message": message } })
}

/// Correlation id of answers that belong to no call of the model.
const NO_CALL: &str = "00000000-0000-0000-0000-000000000000";

#[cfg(test)]
mod tests {
    use super::*;

    fn outage(of: Double, span: std::ops::Range<u64>, answer: Option<u16>, delay_ms: u64) -> Outage {
        Outage { of, from_ms: span.start, until_ms: span.end, answer, retry_after_s: Some(7), delay_ms }
    }

    #[test]
    fn an_outage_is_on_from_its_start_until_just_before_its_end_and_for_its_double() {
        let outages = [outage(Double::Crm, 10..20, Some(503), 0)];
        let status =
            |of, now_ms| decide(&outages, of, Shape::HubSpot, "get_contact", now_ms).answer.map(|answer| answer.status);
        assert_eq!(status(Double::Crm, 10), Some(503));
        assert_eq!(status(Double::Crm, 19), Some(503));
        assert_eq!((status(Double::Crm, 9), status(Double::Crm, 20), status(Double::Support, 15)), (None, None, None));
    }

    #[test]
    fn slowness_and_errors_add_up() {
        let outages = [
            outage(Double::Support, 0..100, None, 300),
            outage(Double::Support, 0..100, Some(429), 50),
            outage(Double::Support, 0..100, Some(500), 0),
        ];
        let interference = decide(&outages, Double::Support, Shape::Zendesk, "get_ticket", 5);
        let answer = interference.answer.expect("an answer");
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("7")));
        assert_eq!(interference.delay, Duration::from_millis(300));
        assert_eq!(decide(&outages[..1], Double::Support, Shape::Zendesk, "get_ticket", 5).answer, None);
        assert_eq!(decide(&outages, Double::Support, Shape::Zendesk, "get_ticket", 100), Interference::default());
    }

    #[test]
    fn hubspot_names_the_limit_and_the_one_of_searches_is_another() {
        let of = |operation: &str| {
            let answer = answer(Shape::HubSpot, operation, 429, None);
            let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            let left = answer.header("x-hubspot-ratelimit-remaining").map(str::to_owned);
            (body["policyName"].clone(), body["message"].clone(), left)
        };
        let all = "You have reached your ten_secondly_rolling limit.";
        assert_eq!(of("create_contact"), ("TEN_SECONDLY_ROLLING".into(), all.into(), Some("0".into())));
        assert_eq!(of("search_contacts"), ("SECONDLY".into(), "You have reached your secondly limit.".into(), None));
    }
}
