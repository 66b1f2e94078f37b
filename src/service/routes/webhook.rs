//! Where Stripe delivers its events.
//!
//! Must not know: what an event means.

use super::{refusal, trouble};
use crate::service::{
    core::{Incoming, Received},
    reading,
    server::{App, Unheard},
    store::StoreError,
    verify::verify,
    writer::Full,
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;

/// Largest webhook body; Stripe's own events stay far below.
const WEBHOOK_LIMIT: usize = 512 * 1024;

pub(super) fn routes() -> Router<App> {
    // Both spellings: a redirect would count as a failed delivery (bug class 42).
    let hook = post(webhook).layer(DefaultBodyLimit::max(WEBHOOK_LIMIT));
    Router::new().route("/webhooks/stripe", hook.clone()).route("/webhooks/stripe/", hook)
}

async fn webhook(State(app): State<App>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return refusal(rejection.status(), "the body cannot be read"),
    };
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    if verify(signature, &body, &app.secrets, app.now().secs()).is_err() {
        Unheard::add(&app.unheard.refused);
        return refusal(StatusCode::BAD_REQUEST, "the signature does not fit");
    }
    let Some(event) = std::str::from_utf8(&body).ok().and_then(reading::event) else {
        return refusal(StatusCode::BAD_REQUEST, "the body is not an event");
    };
    let incoming = Arc::new(Incoming::new(event));
    // Read here, where requests run side by side, and not by the one writer.
    incoming.reading();
    let received = match app.writer.deliver(Arc::clone(&incoming)).await {
        Ok(received) => received,
        Err(Full) => {
            Unheard::add(&app.unheard.turned_away);
            return full();
        }
    };
    // Kept till here, so that what was read is taken apart by this thread, not by the one writer.
    drop(incoming);
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
