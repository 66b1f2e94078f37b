//! Where people ask for help: `POST /api/support`.
//!
//! Must not know: how a request is routed, what a ticket is.

use super::{refusal, trouble};
use crate::service::{
    server::App,
    support::requests::{Asked, LONGEST_KEY, Submitted},
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::json;

/// Largest request: the longest message, each of its characters escaped.
const REQUEST_LIMIT: usize = 64 * 1024;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/support", post(ask).layer(DefaultBodyLimit::max(REQUEST_LIMIT)))
}

async fn ask(State(app): State<App>, headers: HeaderMap, body: Result<Json<Asked>, JsonRejection>) -> Response {
    let asked = match body {
        Ok(Json(asked)) => asked,
        Err(JsonRejection::JsonDataError(_) | JsonRejection::JsonSyntaxError(_)) => {
            let what = "expected {\"message\", \"category\", \"user\", \"email\"} and nothing else; a category is billing, \
                        onboarding or feedback";
            return refusal(StatusCode::BAD_REQUEST, what);
        }
        Err(other) => return refusal(other.status(), "the body cannot be read"),
    };
    if let Some(objection) = asked.objection() {
        return refusal(StatusCode::BAD_REQUEST, objection);
    }
    let Ok(key) = idempotency_key(&headers) else {
        return refusal(StatusCode::BAD_REQUEST, "an `Idempotency-Key` is 1 to 255 visible characters");
    };
    match app.with(move |service, now| service.ask(now, &asked, key.as_deref())).await {
        Ok(Submitted::Taken(id)) => {
            app.wake.notify_one();
            (StatusCode::ACCEPTED, Json(json!({"id": id}))).into_response()
        }
        Ok(Submitted::KeyUsed) => refusal(StatusCode::CONFLICT, "this `Idempotency-Key` was used for another request"),
        Err(error) => trouble(&error),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ()> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| ())?.trim();
    if text.is_empty() || text.len() > LONGEST_KEY { Err(()) } else { Ok(Some(text.to_owned())) }
}
