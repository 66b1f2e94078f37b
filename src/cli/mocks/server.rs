//! The page of `hookdrill mocks` over HTTP: who may look, what is reset.
//!
//! Only names of this machine are answered (a page of somebody else's must not read it by a name that it points here), and a
//! reset is taken from this page or from a tool, never from another site. Must not know: what the page looks like.

use super::{environment, ledger::Ledger, page};
use crate::mock::socket::Doubles;
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use std::{future::Future, sync::Arc};

#[derive(Clone)]
struct Shown {
    doubles: Arc<Doubles>,
    ledger: Arc<Ledger>,
}

/// Serves the page until `stopped`.
pub(super) async fn serve(
    listener: tokio::net::TcpListener,
    doubles: Arc<Doubles>,
    ledger: Arc<Ledger>,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(shown))
        .route("/ledger.json", get(told))
        .route("/reset", post(reset))
        .layer(middleware::from_fn(guard))
        .with_state(Shown { doubles, ledger });
    // A browser that looks again every few seconds keeps its connection: it is not waited for.
    tokio::select! {
        done = axum::serve(listener, app).into_future() => done,
        () = stopped => Ok(()),
    }
}

async fn shown(State(shown): State<Shown>) -> Html<String> {
    let (contacts, tickets) = shown.doubles.ledger();
    let page = page::Page {
        doubles: shown.doubles.listening(),
        environment: environment(&shown.doubles),
        contacts: &contacts,
        tickets: &tickets,
        kept: &shown.ledger.copy(),
    };
    Html(page.render())
}

async fn told(State(shown): State<Shown>) -> Json<serde_json::Value> {
    let (contacts, tickets) = shown.doubles.ledger();
    let kept = shown.ledger.copy();
    let calls = kept
        .calls
        .iter()
        .map(|(number, at, call)| serde_json::json!({ "n": number, "at": at.to_string(), "call": call }));
    let effects = kept.effects.iter().map(|(at, effect)| serde_json::json!({ "at": at.to_string(), "effect": effect }));
    let counts = kept.counts.iter().map(|(double, count)| (double.word().to_owned(), (*count).into()));
    Json(serde_json::json!({
        "doubles": shown.doubles.listening().into_iter().map(|(double, url)| (double.word().to_owned(), url.into())).collect::<serde_json::Map<_, _>>(),
        "counts": counts.collect::<serde_json::Map<_, _>>(),
        "contacts": contacts,
        "tickets": tickets,
        "effects": effects.collect::<Vec<_>>(),
        "calls": calls.collect::<Vec<_>>(),
    }))
}

async fn reset(State(shown): State<Shown>, headers: HeaderMap) -> Response {
    shown.doubles.reset().await;
    shown.ledger.reset();
    match headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html")) {
        true => Redirect::to("/").into_response(),
        false => Json(serde_json::json!({ "reset": true })).into_response(),
    }
}

/// Names of this machine, and no other site's forms.
async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_local(host) {
        let what = "this page is shown under a name of this machine only: http://127.0.0.1";
        return (StatusCode::MISDIRECTED_REQUEST, what).into_response();
    }
    if request.method() == axum::http::Method::POST && !is_own(headers, host) {
        return (StatusCode::FORBIDDEN, "another site may not do this").into_response();
    }
    let mut response = next.run(request).await;
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a request comes from this page, or from no page at all: browsers say where one comes from.
fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let site = text("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    let origin = text("origin").is_none_or(|origin| origin.eq_ignore_ascii_case(&format!("http://{host}")));
    site && origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["127.0.0.1:4100", "localhost", "LOCALHOST:1", "[::1]:4100", "127.9.9.9"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["", "example.com", "127.0.0.1.example.com", "10.0.0.1:4100", "localhost.example.com:4100", "[::2]"]
        {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn another_site_is_told_from_this_page_and_from_a_tool() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
                .collect();
            is_own(&headers, "127.0.0.1:4100")
        };
        assert!(of(&[]));
        assert!(of(&[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:4100")]));
        assert!(!of(&[("origin", "https://example.com")]));
        assert!(!of(&[("origin", "null")]));
        assert!(!of(&[("sec-fetch-site", "cross-site")]));
        assert!(!of(&[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:3000")]));
    }
}
