//! The person's way: sign-up and the pages.
//!
//! Must not know: how anything is decided.

mod billing;
mod browser;
mod checkout;

use super::{refusal, trouble};
use crate::service::{pages, server::App, store::StoreError};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

/// Largest sign-up.
const SIGN_UP_LIMIT: usize = 16 * 1024;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/signup", post(sign_up).layer(DefaultBodyLimit::max(SIGN_UP_LIMIT)))
        .route("/", get(checkout::home))
        .route("/signup", post(checkout::sign_up).layer(DefaultBodyLimit::max(SIGN_UP_LIMIT)))
        .route("/checkout/success", get(checkout::success))
        .route("/billing", get(billing::billing))
        .route("/billing/cancel", get(billing::ask).post(billing::cancel).layer(DefaultBodyLimit::max(SIGN_UP_LIMIT)))
        .route("/chat", get(billing::chat))
        .route("/api/chat/entitlement", get(billing::entitlement))
        .route("/style.css", get(style))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignUp {
    user: String,
    email: String,
}

impl SignUp {
    /// The field that is wrong, and words for the person.
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let odd = |text: &str| text.chars().any(|c| c.is_control() || c.is_whitespace());
        if self.user.is_empty() || self.user.len() > 128 || odd(&self.user) {
            return Some(("user", "Please choose a user name of 1 to 128 letters, without blanks."));
        }
        let mut halves = self.email.split('@');
        let shaped = matches!((halves.next(), halves.next(), halves.next()),
            (Some(local), Some(domain), None) if !local.is_empty() && !domain.is_empty());
        let wrong = !shaped || self.email.len() > 254 || odd(&self.email);
        wrong.then_some(("email", "Please enter an e-mail address, such as ada@example.com."))
    }

    fn objection(&self) -> Option<&'static str> {
        self.wrong().map(|(field, _)| match field {
            "user" => "`user` is 1 to 128 bytes without blanks",
            _ => "`email` is not an e-mail address",
        })
    }
}

/// A page for a store that fails: again later.
fn trouble_page(app: &App, error: &StoreError) -> Response {
    tracing::warn!("failed to {error}");
    let text = "Nothing was charged and nothing was changed. Please try again in a moment.";
    let mut response = browser::page(app, pages::words("That did not work just now", text, ("/billing", "Try again")));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
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

async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, pages::STYLE).into_response()
}
