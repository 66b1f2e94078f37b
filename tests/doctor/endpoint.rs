//! An endpoint of a stranger with one thing wrong. It verifies by itself: nothing of the judge's own verification is used.

use super::certificates::Chain;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{net::TcpListener, runtime::Runtime};

pub(super) const SECRET: &str = "whsec_of_a_stranger_0123456789";

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planted {
    Nothing,
    Silent,
    BrokenOff,
    RedirectSlash,
    RedirectHttps,
    RedirectWww,
    RedirectLogin,
    Csrf,
    Csrf419,
    BasicAuth,
    JsonAuth,
    LoginPage,
    BotProtection,
    PageAnswers,
    NotFound,
    PostRefused,
    WrongSecret,
    Reserialised,
    OnlyFirst,
    OnlyLast,
    NoTolerance,
    OneSided,
    FailsOnBadSignature,
    FailsOnGood,
    SecretInError,
    SignatureInError,
    TraceInError,
    SqlInError,
    GetAnswered,
    Cors,
    Cacheable,
    NoHealth,
    RateLimit,
    LowRateLimit,
    Slow,
    TypeRefused,
    TypeRefusedAlike,
    ForgedAccepted,
    UnsignedAccepted,
    ContentType,
    SmallBodies,
    TinyBodies,
    RedeliveryRefused,
    ApiVersion,
}

#[derive(Clone)]
struct App {
    planted: Planted,
    seen: Arc<Mutex<BTreeSet<String>>>,
    running: Arc<Mutex<u32>>,
    total: Arc<Mutex<u32>>,
}

/// The endpoint; it ends when it is dropped.
pub(super) struct Endpoint {
    pub(super) url: String,
    _runtime: Runtime,
}

impl Endpoint {
    pub(super) fn start(planted: Planted) -> Self {
        let (runtime, listener) = bound();
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        runtime.spawn(async move { axum::serve(listener, router(planted)).await });
        Self { url, _runtime: runtime }
    }

    /// A sound one behind TLS.
    pub(super) fn behind_tls(chain: &Chain) -> Self {
        let (runtime, listener) = bound();
        let url = format!("https://{}/hook", listener.local_addr().expect("an address"));
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(chain.server()));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper_util::service::TowerToHyperService::new(router(Planted::Nothing));
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
        Self { url, _runtime: runtime }
    }
}

fn bound() -> (Runtime, TcpListener) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    (runtime, listener)
}

fn router(planted: Planted) -> Router {
    let app = App { planted, seen: Arc::default(), running: Arc::default(), total: Arc::default() };
    Router::new().fallback(handle).with_state(app)
}

async fn handle(State(app): State<App>, request: Request) -> Response {
    if app.planted == Planted::Silent {
        std::future::pending::<()>().await;
    }
    if let Some(answer) = in_front(app.planted, &request) {
        return answer;
    }
    if request.uri().path() == "/healthz" && app.planted != Planted::NoHealth {
        return "well".into_response();
    }
    if request.uri().path() != "/hook" || app.planted == Planted::NotFound {
        return (StatusCode::NOT_FOUND, "nothing here").into_response();
    }
    if request.method() != Method::POST {
        return match (app.planted, request.method()) {
            (Planted::GetAnswered, &Method::GET) => "webhooks go here".into_response(),
            (Planted::Cors, &Method::OPTIONS) => {
                ([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")], StatusCode::NO_CONTENT).into_response()
            }
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        };
    }
    if app.planted == Planted::PostRefused {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    *app.running.lock().expect("running") += 1;
    *app.total.lock().expect("total") += 1;
    let answer = posted(&app, request).await;
    *app.running.lock().expect("running") -= 1;
    answer
}

/// What answers before the handler is asked.
fn in_front(planted: Planted, request: &Request) -> Option<Response> {
    let redirect = |status: u16, to: String| {
        let status = StatusCode::from_u16(status).expect("a status");
        Some((status, [(header::LOCATION, to)], "moved").into_response())
    };
    let page = |status: u16, text: &'static str| {
        let status = StatusCode::from_u16(status).expect("a status");
        Some((status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response())
    };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if request.uri().path() == "/healthz" {
        return None;
    }
    match planted {
        Planted::BrokenOff => panic!("the connection is closed"),
        Planted::RedirectSlash => redirect(308, "/hook/".to_owned()),
        Planted::RedirectHttps => redirect(301, format!("https://{host}/hook")),
        Planted::RedirectWww => redirect(301, "http://www.shop.example/hook".to_owned()),
        Planted::RedirectLogin => redirect(302, "/login?next=/hook".to_owned()),
        Planted::Csrf => {
            page(403, "<!DOCTYPE html><title>403 Forbidden</title><p>CSRF verification failed. Request aborted.")
        }
        Planted::Csrf419 => page(419, "<html><title>Page Expired</title></html>"),
        Planted::BasicAuth => {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"staging\"")];
            Some((StatusCode::UNAUTHORIZED, challenge, "who are you?").into_response())
        }
        Planted::JsonAuth => Some((StatusCode::UNAUTHORIZED, "{\"error\":\"Unauthorized\"}").into_response()),
        Planted::LoginPage => page(200, "<html><form><input name=user><input type=\"password\"></form></html>"),
        Planted::BotProtection => page(403, "<!DOCTYPE html><title>Just a moment...</title><div class=cf-chl-x></div>"),
        Planted::PageAnswers => page(200, "<!doctype html><div id=root></div><script src=/app.js></script>"),
        _ => None,
    }
}

async fn posted(app: &App, request: Request) -> Response {
    let planted = app.planted;
    let charset = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind != "application/json");
    if planted == Planted::ContentType && charset {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "only application/json").into_response();
    }
    if planted == Planted::RateLimit && *app.running.lock().expect("running") > 3 {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    if planted == Planted::LowRateLimit && *app.total.lock().expect("total") > 6 {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    let signature = request.headers().get("stripe-signature").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let limit = match planted {
        Planted::SmallBodies => 100 * 1024,
        Planted::TinyBodies => 10 * 1024,
        _ => 1 << 20,
    };
    let Ok(body) = axum::body::to_bytes(request.into_body(), limit).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if planted == Planted::Slow {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
    }
    if planted == Planted::RateLimit {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    match verified(planted, signature.as_deref(), &body) {
        Ok(()) => {}
        Err(_) if planted == Planted::SignatureInError => {
            let sent = signature.unwrap_or_default();
            let t = sent.split(',').find_map(|item| item.strip_prefix("t=")?.parse().ok()).unwrap_or(0);
            return (StatusCode::BAD_REQUEST, format!("expected {}", hmac(SECRET, t, &body))).into_response();
        }
        Err(why) => return refused(planted, why),
    }
    taken(app, &body)
}

fn refused(planted: Planted, why: &'static str) -> Response {
    let error = |status: StatusCode, text: String| (status, text).into_response();
    match planted {
        Planted::FailsOnBadSignature => error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error".to_owned()),
        Planted::SecretInError => error(StatusCode::BAD_REQUEST, format!("no match with {SECRET}")),
        Planted::TraceInError => {
            error(StatusCode::BAD_REQUEST, "Error: bad\n    at verify (/srv/shop/hook.js:10:5)".to_owned())
        }
        Planted::SqlInError => error(StatusCode::BAD_REQUEST, "SQLITE_ERROR: no such table: seen".to_owned()),
        _ => error(StatusCode::BAD_REQUEST, format!("Webhook Error: {why}")),
    }
}

fn taken(app: &App, body: &[u8]) -> Response {
    let event: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let id = event["id"].as_str().unwrap_or_default().to_owned();
    let fresh = app.seen.lock().expect("seen").insert(id);
    let unknown = event["type"] == "hookdrill.doctor.ping";
    match app.planted {
        Planted::FailsOnGood => (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
        Planted::TypeRefused if unknown => (StatusCode::BAD_REQUEST, "Unhandled event type").into_response(),
        Planted::TypeRefusedAlike if unknown => {
            (StatusCode::BAD_REQUEST, "Webhook Error: no signature matches").into_response()
        }
        Planted::ApiVersion if event["api_version"] != "2020-08-27" => {
            (StatusCode::BAD_REQUEST, "received event with another version").into_response()
        }
        Planted::RedeliveryRefused if !fresh => (StatusCode::CONFLICT, "seen before").into_response(),
        Planted::Cacheable => ([(header::CACHE_CONTROL, "public, max-age=60")], "{\"received\":true}").into_response(),
        _ => Body::from("{\"received\":true}").into_response(),
    }
}

fn verified(planted: Planted, signature: Option<&str>, body: &[u8]) -> Result<(), &'static str> {
    let Some(signature) = signature else {
        return if planted == Planted::UnsignedAccepted { Ok(()) } else { Err("no signature") };
    };
    if planted == Planted::ForgedAccepted {
        return Ok(());
    }
    let items = |key: &str| -> Vec<&str> {
        signature
            .split(',')
            .filter_map(|item| item.split_once('='))
            .filter(|(k, _)| *k == key)
            .map(|(_, v)| v)
            .collect()
    };
    let t: i64 = items("t").first().and_then(|t| t.parse().ok()).ok_or("no time")?;
    let mut candidates = items("v1");
    match planted {
        Planted::OnlyFirst => candidates.truncate(1),
        Planted::OnlyLast => candidates = candidates.pop().into_iter().collect(),
        _ => {}
    }
    let secret = if planted == Planted::WrongSecret { "whsec_of_somebody_else" } else { SECRET };
    let written: Vec<u8> = match planted {
        Planted::Reserialised => {
            serde_json::from_slice::<serde_json::Value>(body).map_err(|_| "no JSON")?.to_string().into()
        }
        _ => body.to_vec(),
    };
    let expected = hmac(secret, t, &written);
    if !candidates.contains(&expected.as_str()) {
        return Err("no signature matches");
    }
    #[expect(clippy::disallowed_methods, reason = "a stranger has a clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let distance = match planted {
        Planted::NoTolerance => 0,
        Planted::OneSided => t - now,
        _ => (now - t).abs(),
    };
    if distance > 300 { Err("timestamp outside the tolerance zone") } else { Ok(()) }
}

fn hmac(secret: &str, t: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(format!("{t}.").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
