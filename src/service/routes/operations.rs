//! For those who operate the service: health, metrics, one customer's state, how far behind it is.
//!
//! Must not know: how anything is decided.

use super::{limit, refusal, trouble};
use crate::service::{core::Service, overview, server::App, session::Sealer};
use axum::{
    Json, Router,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use std::time::Duration;

/// Longest that a store may take to answer a reading before the service is not ready.
const STORE_LIMIT: Duration = Duration::from_secs(1);

/// Routes that anybody may ask. In a public service metrics and reasons need the token.
pub(super) fn open() -> Router<App> {
    Router::new().route("/healthz", get(health)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// Routes that show or move other people's data.
pub(super) fn internal() -> Router<App> {
    Router::new()
        .route("/api/customers/{id}", get(customer))
        .route("/api/customers/{id}/history", get(history))
        .route("/internal/status", get(status))
        .route("/internal/requeue", post(requeue))
        .route("/internal/dead", get(dead))
        .route("/internal/audit", get(audit).post(audit_now))
        .route("/internal/alerts", get(alerts))
        .layer(middleware::from_fn(local))
}

/// A proxy that passes everything on, or a name that was made to point at this machine, opens nothing.
async fn local(request: Request, next: Next) -> Response {
    if limit::is_local(request.headers()) { next.run(request).await } else { nothing() }
}

fn nothing() -> Response {
    refusal(StatusCode::NOT_FOUND, "there is nothing here")
}

/// Whether the asker may see numbers: by the token, or from this machine where the service is not public.
fn may_look(app: &App, headers: &HeaderMap) -> bool {
    if !app.public && limit::is_local(headers) {
        return true;
    }
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    app.operations.metrics_token.as_ref().zip(given).is_some_and(|(token, given)| {
        // Compared by their digests, in a time that says nothing about where they differ.
        let sealer = Sealer::new(token.clone());
        sealer.is_token(given, &sealer.token(token.expose()))
    })
}

async fn health() -> Response {
    Json(json!({"ok": true})).into_response()
}

async fn ready(State(app): State<App>, headers: HeaderMap) -> Response {
    let mut reasons: Vec<&str> = app.operations.objection().into_iter().collect();
    // The store was opened in its present form, or the service would not have started: what is left is whether it answers.
    let asked = tokio::time::timeout(STORE_LIMIT, app.with(|service, _| service.visit(|tx| tx.job_counts()))).await;
    match asked {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => reasons.push("the store does not answer"),
        Err(_) => reasons.push("the store takes too long to answer"),
    }
    if reasons.is_empty() {
        return Json(json!({"ready": true})).into_response();
    }
    tracing::warn!("not ready: {}", reasons.join(", "));
    let body =
        if may_look(&app, &headers) { json!({"ready": false, "reasons": reasons}) } else { json!({"ready": false}) };
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    if !may_look(&app, &headers) {
        return nothing();
    }
    let standing = match app.read(|service, now| service.visit(|tx| overview::standing(tx, now))).await {
        Ok(standing) => standing,
        Err(error) => return trouble(&error),
    };
    match app.operations.metrics.text(&standing) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => super::failure(&format!("failed to write the metrics: {error}")),
    }
}

async fn customer(State(app): State<App>, Path(id): Path<String>) -> Response {
    match app.read(move |service, _| service.customer(&id)).await {
        Ok(Some(view)) => Json(view).into_response(),
        Ok(None) => refusal(StatusCode::NOT_FOUND, "no such customer"),
        Err(error) => trouble(&error),
    }
}

async fn history(State(app): State<App>, Path(id): Path<String>) -> Response {
    match app.read(move |service, _| service.history(&id)).await {
        Ok(Some(entries)) => Json(entries).into_response(),
        Ok(None) => refusal(StatusCode::NOT_FOUND, "no such customer"),
        Err(error) => trouble(&error),
    }
}

/// With `?brief` without what only a look at every account tells.
async fn status(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    if query.as_deref() == Some("brief") {
        return match app.read(|service, _| service.brief_status()).await {
            Ok(view) => Json(view).into_response(),
            Err(error) => trouble(&error),
        };
    }
    match app.read(|service, _| service.status()).await {
        Ok(view) => Json(view).into_response(),
        Err(error) => trouble(&error),
    }
}

async fn dead(State(app): State<App>) -> Response {
    match app.read(|service, _| service.dead()).await {
        Ok(dead) => Json(dead).into_response(),
        Err(error) => trouble(&error),
    }
}

async fn audit(State(app): State<App>) -> Response {
    match app.read(|service, _| service.audit()).await {
        Ok(view) => Json(view).into_response(),
        Err(error) => trouble(&error),
    }
}

async fn audit_now(State(app): State<App>) -> Response {
    match app.with(Service::audit_now).await {
        Ok(()) => {
            app.wake.notify_one();
            (StatusCode::ACCEPTED, Json(json!({"running": true}))).into_response()
        }
        Err(error) => trouble(&error),
    }
}

async fn alerts(State(app): State<App>) -> Response {
    match app.read(|service, _| service.alerts()).await {
        Ok(alerts) => Json(json!({"alerts": alerts})).into_response(),
        Err(error) => trouble(&error),
    }
}

/// All jobs that were given up, or with `?job=7` one.
async fn requeue(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let one = match query.as_deref().map(|query| query.strip_prefix("job=").map(str::parse::<u64>)) {
        None => None,
        Some(Some(Ok(job))) => Some(job),
        Some(_) => return refusal(StatusCode::BAD_REQUEST, "expected ?job= with a job's number, or nothing"),
    };
    match app.with(move |service, now| service.requeue_by_hand(now, one)).await {
        Ok(0) if one.is_some() => refusal(StatusCode::NOT_FOUND, "no such job was given up"),
        Ok(requeued) => {
            app.wake.notify_one();
            Json(json!({"requeued": requeued})).into_response()
        }
        Err(error) => trouble(&error),
    }
}
