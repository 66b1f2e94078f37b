//! For those who operate the service: health, one customer's state, how far behind it is.
//!
//! Must not know: how anything is decided.

use super::{refusal, trouble};
use crate::service::{core::Service, server::App};
use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

/// Routes that anybody may ask.
pub(super) fn open() -> Router<App> {
    Router::new().route("/healthz", get(health))
}

/// Routes that show or move other people's data.
pub(super) fn internal() -> Router<App> {
    Router::new()
        .route("/api/customers/{id}", get(customer))
        .route("/api/customers/{id}/history", get(history))
        .route("/internal/status", get(status))
        .route("/internal/requeue", post(requeue))
        .route("/internal/audit", get(audit).post(audit_now))
        .route("/internal/alerts", get(alerts))
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

async fn requeue(State(app): State<App>) -> Response {
    match app.with(Service::requeue).await {
        Ok(requeued) => {
            app.wake.notify_one();
            Json(json!({"requeued": requeued})).into_response()
        }
        Err(error) => trouble(&error),
    }
}
