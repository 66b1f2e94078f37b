//! Stands between a sender of webhooks (`stripe listen`, a tunnel) and the app: passes every request on with its bytes and
//! headers, answers as the app does, and takes down what comes before it is passed on and what is answered before it goes
//! back.
//!
//! Must not know: what is done with the recording, what a terminal is.

pub mod rewrite;
pub mod store;

use super::{clock::RunClock, http::innermost};
use crate::stripe::{
    captured::{Answer, Delivery, SIGNATURE},
    signature::{Secret, Tolerance, verify},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Uri, request::Parts};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming as Stream, server::conn::http1, service::service_fn};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use store::{Incoming, RecordError, Recorder};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{net::TcpListener, sync::Semaphore};

/// Largest body that is taken; Stripe's have some kilobytes.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// Largest answer of the app that is passed back.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;
/// Requests at a time. One more waits.
const AT_ONCE: u32 = 256;
/// Longest that a sender may take for a request.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// Longest that requests under way may take when the recording ends.
const GRACE: Duration = Duration::from_secs(10);
/// A moment for the system to get its breath (no file descriptors, no memory).
const BREATH: Duration = Duration::from_millis(100);

/// Headers that belong to one connection and are not passed on (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How a recording is made.
pub struct RecordOptions {
    /// The app's address. With a path, everything goes there; without one, each request to its own path.
    pub forward_to: Uri,
    /// Longest wait for the app.
    pub timeout: Duration,
    /// Secrets to check signatures with; none: they are not checked.
    pub secrets: Vec<Secret>,
    /// Is told of each delivery and its answer, and of what was refused.
    pub told: Box<dyn Fn(Told<'_>) + Send + Sync>,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A delivery was passed on and answered.
    Delivered(&'a Delivery, &'a Answer),
    /// A request was not taken, and why.
    Refused(&'a str),
    /// A request without a body was passed on; it is no delivery.
    Passed(&'a str, u16),
}

struct Between {
    options: RecordOptions,
    recorder: Mutex<Recorder>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    clock: RunClock,
    places: Arc<Semaphore>,
}

/// An answer of ours or of the app's, complete.
type Whole = Response<Full<Bytes>>;

/// Records until `stopped`; gives the recorder back when what was under way has ended.
pub async fn record(
    listener: TcpListener,
    recorder: Recorder,
    options: RecordOptions,
    stopped: impl Future<Output = ()>,
) -> (u64, usize) {
    let connector =
        hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
    // A connection of its own for each: one that the app closes just then would look like an app that fails.
    let client = Client::builder(TokioExecutor::new())
        .retry_canceled_requests(false)
        .http1_preserve_header_case(true)
        .pool_max_idle_per_host(0)
        .build(connector);
    let places = Arc::new(Semaphore::new(AT_ONCE as usize));
    let recorder = Mutex::new(recorder);
    let between =
        Arc::new(Between { options, recorder, client, clock: RunClock::start(), places: Arc::clone(&places) });
    accept(listener, &between, stopped).await;
    // Whoever is under way holds a place, even when the sender is gone already.
    drop(tokio::time::timeout(GRACE, places.acquire_many(AT_ONCE)).await);
    let recorder = between.recorder.lock().unwrap_or_else(PoisonError::into_inner);
    recorder.counts()
}

async fn accept(listener: TcpListener, between: &Arc<Between>, stopped: impl Future<Output = ()>) {
    let (graceful, mut stopped) = (GracefulShutdown::new(), std::pin::pin!(stopped));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(ARRIVES_WITHIN).preserve_header_case(true);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
        };
        let between = Arc::clone(between);
        let answer = service_fn(move |request| {
            let between = Arc::clone(&between);
            // A task of its own: a sender that hangs up must not take the answer out of the recording.
            async move {
                let work = tokio::spawn(async move { between.request(request).await });
                Ok::<Whole, Infallible>(work.await.unwrap_or_else(|_| ours(StatusCode::INTERNAL_SERVER_ERROR, "a bug")))
            }
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    drop(tokio::time::timeout(GRACE, graceful.shutdown()).await);
}

impl Between {
    async fn request(self: Arc<Self>, request: Request<Stream>) -> Whole {
        let _place = Arc::clone(&self.places).acquire_owned().await;
        let (parts, body) = request.into_parts();
        let body = match tokio::time::timeout(ARRIVES_WITHIN, Limited::new(body, BODY_LIMIT).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                return self.refuse(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    &format!("the body is larger than {} MiB", BODY_LIMIT / 1024 / 1024),
                );
            }
            Ok(Err(error)) => return self.refuse(StatusCode::BAD_REQUEST, &format!("the body broke off: {error}")),
            Err(_) => return self.refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        };
        if body.is_empty() {
            // A look at the app's health or the like.
            let what = format!("{} {}", parts.method, parts.uri.path());
            let (answer, _) = self.forward(parts, body).await;
            (self.options.told)(Told::Passed(&what, answer.status().as_u16()));
            return answer;
        }
        self.delivery(parts, body).await
    }

    async fn delivery(self: Arc<Self>, parts: Parts, body: Bytes) -> Whole {
        let came = self.clock.now_ms();
        let incoming = self.incoming(&parts, body.clone());
        let delivery = match self.clone().with_recorder(move |recorder| recorder.arrived(&incoming)).await {
            Ok(delivery) => delivery,
            Err(error) => {
                let status = match error {
                    RecordError::Live => StatusCode::FORBIDDEN,
                    RecordError::Full | RecordError::Io { .. } => StatusCode::SERVICE_UNAVAILABLE,
                };
                return self.refuse(status, &error.to_string());
            }
        };
        let (whole, failed) = self.forward(parts, body).await;
        let status = whole.status().as_u16();
        let after_ms = self.clock.now_ms().saturating_sub(came);
        let answer = Answer { answer: delivery.delivery, status, after_ms, failed };
        let kept = answer.clone();
        if let Err(error) = self.clone().with_recorder(move |recorder| recorder.answered(kept)).await {
            return self.refuse(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
        }
        (self.options.told)(Told::Delivered(&delivery, &answer));
        whole
    }

    /// The recorder waits for the disk, so it works where that holds nobody up.
    async fn with_recorder<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&mut Recorder) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let done = tokio::task::spawn_blocking(move || {
            work(&mut self.recorder.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.unwrap_or_else(|error| {
            Err(RecordError::Io { path: "the recording".to_owned(), source: std::io::Error::other(error.to_string()) })
        })
    }

    fn incoming(&self, parts: &Parts, body: Bytes) -> Incoming {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Incoming {
            at: now(&self.clock),
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            signature: self.signature(parts, &body),
            body,
        }
    }

    fn signature(&self, parts: &Parts, body: &[u8]) -> String {
        if self.options.secrets.is_empty() {
            return "not checked".to_owned();
        }
        let header = parts.headers.get(SIGNATURE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let secrets: Vec<&str> = self.options.secrets.iter().map(Secret::expose).collect();
        match verify(header.as_deref(), body, &secrets, Tolerance::default(), super::clock::wall_now().secs()) {
            Ok(()) => "valid".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Passes a request on; the answer of the app, or ours and why.
    async fn forward(&self, mut parts: Parts, body: Bytes) -> (Whole, Option<String>) {
        let to = &self.options.forward_to;
        let target = target(to, &parts.uri);
        parts.uri = target;
        parts.version = http::Version::HTTP_11;
        without_hops(&mut parts.headers);
        // The app is asked under its own name, as `stripe listen` does.
        parts.headers.remove(http::header::HOST);
        let exchange = async {
            let response = self.client.request(Request::from_parts(parts, Full::new(body))).await;
            let response = response.map_err(|error| innermost(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(|error| error.to_string())?;
            Ok::<_, String>((head, body.to_bytes()))
        };
        match tokio::time::timeout(self.options.timeout, exchange).await {
            Ok(Ok((mut head, body))) => {
                without_hops(&mut head.headers);
                head.version = http::Version::HTTP_11;
                (Response::from_parts(head, Full::new(body)), None)
            }
            Ok(Err(error)) => {
                let why = format!("no answer from the app at {}: {error}", shown(to));
                (
                    ours(
                        StatusCode::BAD_GATEWAY,
                        &format!("{why}; the delivery is recorded, start the app and resend it"),
                    ),
                    Some(why),
                )
            }
            Err(_) => {
                let why =
                    format!("no answer from the app at {} within {} ms", shown(to), self.options.timeout.as_millis());
                (ours(StatusCode::GATEWAY_TIMEOUT, &why), Some(why))
            }
        }
    }

    fn refuse(&self, status: StatusCode, why: &str) -> Whole {
        (self.options.told)(Told::Refused(why));
        ours(status, why)
    }
}

/// An answer of ours, in words.
fn ours(status: StatusCode, why: &str) -> Whole {
    let mut answer = Response::new(Full::new(Bytes::from(format!("hookdrill record: {why}\n"))));
    *answer.status_mut() = status;
    let text = http::HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, text);
    answer
}

/// Takes away what belongs to one connection, and what `Connection` says does.
fn without_hops(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(http::header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    // Written anew from the body, which is complete here.
    headers.remove(http::header::CONTENT_LENGTH);
}

/// Where a request goes.
fn target(forward_to: &Uri, asked: &Uri) -> Uri {
    if !matches!(forward_to.path(), "" | "/") || forward_to.query().is_some() {
        return forward_to.clone();
    }
    let mut parts = forward_to.clone().into_parts();
    parts.path_and_query = asked.path_and_query().cloned();
    Uri::from_parts(parts).unwrap_or_else(|_| forward_to.clone())
}

/// An address without what it may carry beside the place.
fn shown(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{}{port}{}", uri.host().unwrap_or_default(), uri.path())
}

fn now(clock: &RunClock) -> String {
    let millis = i128::from(clock.started().millis()) + i128::from(clock.now_ms());
    let at = OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_where_they_are_meant_to() {
        let to = |forward: &str, asked: &str| {
            target(&forward.parse().expect("a URI"), &asked.parse().expect("a URI")).to_string()
        };
        assert_eq!(to("http://a:1", "/hook?x=1"), "http://a:1/hook?x=1");
        assert_eq!(to("http://a:1/", "/"), "http://a:1/");
        assert_eq!(to("http://a:1/api/hook", "/other"), "http://a:1/api/hook");
        assert_eq!(to("http://a:1/?k=v", "/other"), "http://a:1/?k=v");
    }

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("connection", "close, X-Own"), ("x-own", "1"), ("te", "trailers"), ("x-kept", "1")] {
            headers.insert(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        without_hops(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    }
}
