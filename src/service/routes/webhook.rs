//! Where Stripe delivers its events.
//!
//! Must not know: what an event means.

use super::{refusal, trouble};
use crate::service::{
    Secret,
    core::{Incoming, Received, Rest},
    defects::Defect,
    door::{self, Knock},
    ingest::Accepted,
    metrics::Ack,
    reading,
    server::{App, Unheard, stopwatch},
    store::StoreError,
    telemetry,
    verify::{endpoint, verify},
    writer::Full,
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use tracing::{Instrument, Span, field::Empty};

/// Largest webhook body; Stripe's own events stay far below.
const WEBHOOK_LIMIT: usize = 512 * 1024;

pub(super) fn routes() -> Router<App> {
    // Both spellings: a redirect would count as a failed delivery (bug class 42).
    let hook = post(webhook).layer(DefaultBodyLimit::max(WEBHOOK_LIMIT));
    Router::new().route("/webhooks/stripe", hook.clone()).route("/webhooks/stripe/", hook)
}

async fn webhook(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let started = stopwatch();
    let span = tracing::info_span!(
        target: telemetry::TARGET, "webhook.receive", outcome = Empty, event = Empty, kind = Empty
    );
    let (ack, response) = receive(&app, &uri, &headers, body).instrument(span.clone()).await;
    span.record("outcome", ack.name());
    app.operations.metrics.webhook(ack, started.elapsed());
    if !matches!(ack, Ack::Accepted | Ack::Duplicate) {
        tracing::warn!("a webhook was refused: {}", ack.name());
    }
    response
}

/// What becomes of the request, and the answer that says so.
async fn receive(app: &App, uri: &Uri, headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> (Ack, Response) {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return (Ack::Unreadable, refusal(rejection.status(), "the body cannot be read")),
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let cookie = headers.contains_key(header::COOKIE);
    let knock = Knock { path: uri.path(), forwarded_proto: text("x-forwarded-proto"), cookie, length: body.len() };
    if let Some((status, what)) = door::turned_away(&knock, &app.defects) {
        return (Ack::TurnedAway, answer(status, what));
    }
    if verify(text("stripe-signature"), &body, &app.secrets, app.now().secs(), &app.defects).is_err() {
        Unheard::add(&app.unheard.refused);
        if app.defects.has(Defect::ForgedMarksSeen) {
            let body = String::from_utf8_lossy(&body).into_owned();
            drop(app.with(move |service, now| service.forged(now, &body)).await);
        }
        return (Ack::Forged, refusal(StatusCode::BAD_REQUEST, "the signature does not fit"));
    }
    let Some(event) = std::str::from_utf8(&body).ok().and_then(reading::event) else {
        let (status, what) = door::no_event(&app.defects);
        return (Ack::Unreadable, answer(status, what));
    };
    Span::current().record("event", event.id.as_str()).record("kind", event.kind.as_str());
    let signed = |by: &[Secret]| verify(text("stripe-signature"), &body, by, app.now().secs(), &app.defects).is_ok();
    let endpoint = endpoint(&app.secrets, &app.defects, signed);
    let incoming = Arc::new(Incoming::new(event).at(endpoint));
    // Read here, where requests run side by side, and not by the one writer.
    incoming.reading(&app.defects);
    let commit = tracing::info_span!(target: telemetry::TARGET, "webhook.commit");
    let received = match app.writer.deliver(Arc::clone(&incoming)).instrument(commit).await {
        Ok(received) => received,
        Err(Full) => {
            Unheard::add(&app.unheard.turned_away);
            return (Ack::TurnedAway, full());
        }
    };
    // Kept till here, so that what was read is taken apart by this thread, not by the one writer.
    drop(incoming);
    let done = match received {
        Ok(Received::Settled(accepted)) => Ok(accepted),
        Ok(Received::Torn(rest)) => {
            let acked = rest.acked;
            let task = tokio::spawn(finish_later(app.clone(), rest));
            if acked {
                return (Ack::Accepted, acknowledged());
            }
            app.wake.notify_one();
            task.await.unwrap_or_else(|error| Err(StoreError::Broken(error.to_string())))
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(accepted) => {
            app.wake.notify_one();
            (if accepted.duplicate { Ack::Duplicate } else { Ack::Accepted }, acknowledged())
        }
        Err(error) => {
            app.operations.metrics.store_error(&error);
            (Ack::Failed, trouble(&error))
        }
    }
}

fn answer(status: u16, what: &str) -> Response {
    refusal(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), what)
}

/// Does what a torn service left over.
async fn finish_later(app: App, mut rest: Rest) -> Result<Accepted, StoreError> {
    loop {
        tokio::time::sleep(rest.after).await;
        let done = app.with(move |service, now| service.resume(now, &rest)).await;
        app.wake.notify_one();
        match done? {
            Received::Settled(accepted) => return Ok(accepted),
            Received::Torn(again) => rest = again,
        }
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
