//! The person's way: sign-up and the pages.
//!
//! Must not know: how anything is decided.

use super::{refusal, trouble};
use crate::service::{pages, server::App};
use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

/// Largest sign-up.
const SIGN_UP_LIMIT: usize = 16 * 1024;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/signup", post(sign_up).layer(DefaultBodyLimit::max(SIGN_UP_LIMIT)))
        .route("/checkout/success", get(success))
        .route("/style.css", get(style))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignUp {
    user: String,
    email: String,
}

impl SignUp {
    fn objection(&self) -> Option<&'static str> {
        let odd = |text: &str| text.chars().any(|c| c.is_control() || c.is_whitespace());
        if self.user.is_empty() || self.user.len() > 128 || odd(&self.user) {
            return Some("`user` is 1 to 128 bytes without blanks");
        }
        let mut halves = self.email.split('@');
        let shaped = matches!((halves.next(), halves.next(), halves.next()),
            (Some(local), Some(domain), None) if !local.is_empty() && !domain.is_empty());
        (!shaped || self.email.len() > 254 || odd(&self.email)).then_some("`email` is not an e-mail address")
    }
}

async fn sign_up(State(app): State<App>, body: Result<Json<SignUp>, JsonRejection>) -> Response {
    let person = match body {
        Ok(Json(person)) => person,
        Err(JsonRejection::JsonDataError(_) | JsonRejection::JsonSyntaxError(_)) => {
            return refusal(StatusCode::BAD_REQUEST, "expected {\"user\", \"email\"} and nothing else");
        }
        Err(other) => return refusal(other.status(), "the body cannot be read"),
    };
    if let Some(objection) = person.objection() {
        return refusal(StatusCode::BAD_REQUEST, objection);
    }
    let answer = json!({"user": person.user});
    match app.with(move |service, now| service.sign_up(now, &person.user, &person.email)).await {
        Ok(new) => {
            app.wake.notify_one();
            (if new { StatusCode::CREATED } else { StatusCode::OK }, Json(answer)).into_response()
        }
        Err(error) => trouble(&error),
    }
}

#[derive(Deserialize)]
struct Visit {
    #[serde(default)]
    session_id: String,
}

async fn success(State(app): State<App>, visit: Result<Query<Visit>, QueryRejection>) -> Response {
    let session = visit.map(|Query(visit)| visit.session_id).unwrap_or_default();
    match app.read(move |service, _| service.is_active(&session)).await {
        Ok(active) => Html(pages::success(active)).into_response(),
        Err(error) => {
            // The person is not to be frightened by a busy moment: the page looks again by itself.
            eprintln!("service: failed to {error}");
            (StatusCode::SERVICE_UNAVAILABLE, Html(pages::success(false))).into_response()
        }
    }
}

async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, pages::STYLE).into_response()
}
