//! The service's HTTP face. A shell: reads requests, asks the core, writes answers that say nothing of the inside.
//!
//! Must not know: how anything is decided.

use super::{
    core::{Incoming, Received, Service},
    pages,
    server::App,
    store::StoreError,
    verify::verify,
    writer::Full,
};
use crate::stripe::event::Event;
use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, Path, Query, Request, State,
        rejection::{BytesRejection, JsonRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Largest webhook body; Stripe's own events stay far below.
const WEBHOOK_LIMIT: usize = 512 * 1024;

/// Largest sign-up.
const SIGN_UP_LIMIT: usize = 16 * 1024;

/// Longest that one request may take, its slow sender included.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// All routes. What shows or moves other people's data is left out when the service is public.
pub(super) fn router(app: App) -> Router {
    // Both spellings: a redirect would count as a failed delivery (bug class 42).
    let hook = post(webhook).layer(DefaultBodyLimit::max(WEBHOOK_LIMIT));
    let mut router = Router::new()
        .route("/webhooks/stripe", hook.clone())
        .route("/webhooks/stripe/", hook)
        .route("/api/signup", post(sign_up).layer(DefaultBodyLimit::max(SIGN_UP_LIMIT)))
        .route("/checkout/success", get(success))
        .route("/style.css", get(style))
        .route("/healthz", get(health));
    if !app.public {
        router = router
            .route("/api/customers/{id}", get(customer))
            .route("/internal/status", get(status))
            .route("/internal/requeue", post(requeue));
    }
    router
        .fallback(async || refusal(StatusCode::NOT_FOUND, "there is nothing here"))
        .layer(middleware::map_response(guard))
        .layer(middleware::from_fn(limit))
        .with_state(app)
}

async fn limit(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => refusal(StatusCode::REQUEST_TIMEOUT, "the request took too long"),
    }
}

async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn refusal(status: StatusCode, what: &str) -> Response {
    (status, Json(json!({"error": what}))).into_response()
}

/// What a failing store means for the caller: again later, unless the request itself is what it refuses.
fn trouble(error: &StoreError) -> Response {
    eprintln!("service: failed to {error}");
    match error {
        StoreError::Retry(_) | StoreError::Broken(_) => {
            refusal(StatusCode::SERVICE_UNAVAILABLE, "not available at the moment")
        }
        StoreError::Refuse(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the request cannot be stored"),
    }
}

async fn webhook(State(app): State<App>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return refusal(rejection.status(), "the body cannot be read"),
    };
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    if verify(signature, &body, &app.secrets, app.now().secs()).is_err() {
        return refusal(StatusCode::BAD_REQUEST, "the signature does not fit");
    }
    let Some(event) = std::str::from_utf8(&body).ok().and_then(|text| Event::parse(text).ok()) else {
        return refusal(StatusCode::BAD_REQUEST, "the body is not an event");
    };
    let incoming = Arc::new(Incoming::new(event));
    // Read here, where requests run side by side, and not by the one writer.
    incoming.reading();
    let received = match app.writer.deliver(incoming).await {
        Ok(received) => received,
        Err(Full) => return full(),
    };
    let done = match received {
        Ok(Received::Settled(accepted)) => Ok(accepted),
        Ok(Received::Torn(rest)) => {
            let (acked, later) = (rest.acked, app.clone());
            let work = async move {
                tokio::time::sleep(rest.after).await;
                let done = later.with(move |service, now| service.resume(now, &rest)).await;
                later.wake.notify_one();
                done
            };
            let task = tokio::spawn(work);
            if acked {
                return acknowledged();
            }
            app.wake.notify_one();
            task.await.unwrap_or_else(|error| Err(StoreError::Broken(error.to_string())))
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => {
            app.wake.notify_one();
            acknowledged()
        }
        Err(error) => trouble(&error),
    }
}

/// Too many wait for the writer: Stripe tries again, and a proxy that honours the header sooner.
fn full() -> Response {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "not available at the moment");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn acknowledged() -> Response {
    Json(json!({"received": true})).into_response()
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

async fn health() -> Response {
    Json(json!({"ok": true})).into_response()
}

async fn customer(State(app): State<App>, Path(id): Path<String>) -> Response {
    match app.read(move |service, _| service.customer(&id)).await {
        Ok(Some(view)) => Json(view).into_response(),
        Ok(None) => refusal(StatusCode::NOT_FOUND, "no such customer"),
        Err(error) => trouble(&error),
    }
}

async fn status(State(app): State<App>) -> Response {
    match app.read(|service, _| service.status()).await {
        Ok(view) => Json(view).into_response(),
        Err(error) => trouble(&error),
    }
}

async fn requeue(State(app): State<App>) -> Response {
    match app.with(Service::requeue).await {
        Ok(requeued) => {
            app.wake.notify_one();
            Json(json!({"requeued": requeued})).into_response()
        }
        Err(error) => trouble(&error),
    }
}
