//! The service's HTTP face. A shell: reads requests, asks the core, writes answers that say nothing of the inside.
//!
//! Must not know: how anything is decided.

mod operations;
mod person;
mod support;
mod webhook;

use super::{server::App, store::StoreError};
use axum::{
    Json, Router,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::time::Duration;

/// Longest that one request may take, its slow sender included.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// All routes. What shows or moves other people's data is left out when the service is public.
pub(super) fn router(app: App) -> Router {
    let mut router = Router::new()
        .merge(webhook::routes())
        .merge(person::routes())
        .merge(support::routes())
        .merge(operations::open());
    if !app.public {
        router = router.merge(operations::internal());
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
