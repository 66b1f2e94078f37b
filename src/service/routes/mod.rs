//! The service's HTTP face. A shell: reads requests, asks the core, writes answers that say nothing of the inside.
//!
//! Must not know: how anything is decided.

mod admin;
pub(super) mod limit;
mod operations;
mod person;
mod support;
mod webhook;

use super::{log::trouble_id, operations::Operations, server::App, store::StoreError};
use axum::{
    Json, Router,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tower_http::catch_panic::CatchPanicLayer;

/// Longest that one request may take, its slow sender included.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// All routes. What shows or moves other people's data is left out when the service is public.
pub(super) fn router(app: App) -> Router {
    let mut routes = Router::new().merge(person::routes()).merge(support::routes()).merge(operations::open());
    if !app.public {
        routes = routes.merge(operations::internal());
    }
    if app.operations.admin.is_some() {
        routes = routes.merge(admin::routes());
    }
    // The webhook's sender is known by its signature, which no browser has: it needs neither.
    let routes = routes
        .layer(middleware::from_fn_with_state(app.clone(), limit::allow))
        .layer(middleware::from_fn(limit::same_site))
        .merge(webhook::routes())
        .fallback(async || refusal(StatusCode::NOT_FOUND, "there is nothing here"));
    harden(routes, &app.operations).with_state(app)
}

/// What holds for every route: a panic or a slow sender ends one request, headers guard the answer.
fn harden<S: Clone + Send + Sync + 'static>(router: Router<S>, operations: &Arc<Operations>) -> Router<S> {
    let operations = Arc::clone(operations);
    let panicked = CatchPanicLayer::custom(move |_| {
        // What it said is in the log, by way of the hook for panics.
        operations.metrics.panicked();
        failure("a bug ended a request")
    });
    router.layer(panicked).layer(middleware::from_fn(guarded))
}

async fn guarded(request: Request, next: Next) -> Response {
    let mut response = match tokio::time::timeout(REQUEST_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => refusal(StatusCode::REQUEST_TIMEOUT, "the request took too long"),
    };
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
    let id = trouble_id();
    tracing::error!(id, "failed to {error}");
    let (status, what) = match error {
        StoreError::Retry(_) | StoreError::Broken(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "not available at the moment")
        }
        StoreError::Refuse(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the request cannot be stored"),
    };
    (status, Json(json!({"error": what, "id": id}))).into_response()
}

/// Our own fault: an answer that says nothing but where to look in the log.
fn failure(what: &str) -> Response {
    let id = trouble_id();
    tracing::error!(id, "{what}");
    let body = json!({"error": "something went wrong here", "id": id});
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::config::{Config, Secret};
    use axum::{body::Body, routing::get};
    use tower_service::Service;

    #[tokio::test]
    async fn a_panic_ends_one_request_and_says_nothing() {
        let config = Config::new(Secret::new("whsec_1"), "http://127.0.0.1:1", "http://127.0.0.1:2");
        let operations = Arc::new(Operations::new(&config));
        let routes = Router::new()
            .route("/bug", get(async || -> String { panic!("of ada@example.com") }))
            .route("/well", get(async || "well"));
        let mut router = harden(routes, &operations);
        let ask = |path: &str| Request::builder().uri(path).body(Body::empty()).expect("a request");
        let answer = router.call(ask("/bug")).await.expect("an answer");
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(
            (body["error"].as_str(), body["id"].as_str().map(str::len)),
            (Some("something went wrong here"), Some(12))
        );
        assert_eq!(router.call(ask("/well")).await.expect("an answer").status(), 200);
        let text = operations.metrics.text(&Default::default()).expect("text");
        assert!(text.contains("hookdrill_panics_total 1"), "{text}");
    }
}
