//! Carries an examination out: asks what the case says, one after the other, and keeps what comes back. A shell: it owns
//! sockets and a clock.
//!
//! Bounded: so many requests, each with a time-out, answers read up to a limit, redirects not followed.
//! Must not know: what an answer means.

use super::{
    case::{Case, Probe},
    seen::{Answer, NoConnection, Observation, SIGNATURE, Seen},
    tls,
};
use crate::{
    drive::clock::{RunClock, wall_now},
    redact::Redactor,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::RootCertStore;
use std::{io::ErrorKind, time::Duration};

/// Answers are read up to this size: leaks are looked for in all of it.
const ANSWER_LIMIT: usize = 256 * 1024;
/// What is kept of an answer, bytes.
const EXCERPT: usize = 600;
/// More requests than this are never sent, whatever comes back.
const MOST_REQUESTS: usize = 60;

/// How it is asked.
pub struct Prober {
    /// Authorities that are trusted.
    pub roots: RootCertStore,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Takes secrets out of answers.
    pub redactor: Redactor,
}

/// A client with connections of its own.
type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl Prober {
    /// The whole examination.
    pub async fn examine(&self, case: &Case) -> Seen {
        let host = case.url.host().unwrap_or_default();
        let look = match case.url.scheme_str() {
            Some("https") => {
                let port = case.url.port_u16().unwrap_or(443);
                tls::look(host, port, self.roots.clone(), self.timeout).await
            }
            _ => None,
        };
        let mut seen = case.seen(look, wall_now().secs());
        let http = self.client();
        loop {
            let next = case.next(&seen);
            if next.is_empty() || seen.observations.len() + next.len() > MOST_REQUESTS {
                return seen;
            }
            if matches!(next[0], Probe::Burst(_)) {
                let asked = next.into_iter().map(|probe| self.ask(&http, case, probe));
                seen.observations.extend(together(asked).await);
                continue;
            }
            for probe in next {
                seen.observations.push(self.ask(&http, case, probe).await);
            }
        }
    }

    fn client(&self) -> Http {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls::verifying(self.roots.clone()))
            .https_or_http()
            .enable_http1()
            .build();
        let mut builder = Client::builder(TokioExecutor::new());
        // A connection of its own for each: one that the server closes early spoils no other.
        builder.pool_max_idle_per_host(0).retry_canceled_requests(false).http1_title_case_headers(true).build(connector)
    }

    async fn ask(&self, http: &Http, case: &Case, probe: Probe) -> Observation {
        let wire = case.request(probe, wall_now().secs());
        let mut request = hyper::Request::builder().method(wire.method.as_str()).uri(case.url_of(probe));
        for (name, value) in &wire.headers {
            request = request.header(name, value);
        }
        let lacking = case.lacking_signature(&wire);
        let clock = RunClock::start();
        let answer = match request.body(Full::new(Bytes::from(wire.body))) {
            Ok(request) => self.exchange(http, request, lacking.as_deref()).await,
            Err(error) => (Answer::BrokenOff(error.to_string()), Vec::new()),
        };
        case.observed(probe, answer.0, clock.now_ms(), answer.1)
    }

    async fn exchange(
        &self,
        http: &Http,
        request: hyper::Request<Full<Bytes>>,
        lacking: Option<&str>,
    ) -> (Answer, Vec<String>) {
        match tokio::time::timeout(self.timeout, self.answer(http, request, lacking)).await {
            Ok(answer) => answer,
            Err(_) => {
                let after = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
                (Answer::Silent(after), Vec::new())
            }
        }
    }

    async fn answer(
        &self,
        http: &Http,
        request: hyper::Request<Full<Bytes>>,
        lacking: Option<&str>,
    ) -> (Answer, Vec<String>) {
        let response = match http.request(request).await {
            Ok(response) => response,
            Err(error) => return (not_answered(&error), Vec::new()),
        };
        let (head, body) = response.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), self.redactor.excerpt(&String::from_utf8_lossy(value.as_bytes()), EXCERPT))
        });
        let headers = headers.collect();
        // What cannot be read is not shown; the status came all the same.
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&body).into_owned();
        let mut leaks = self.redactor.leaks(&text);
        leaks.extend(lacking.filter(|right| text.contains(right)).map(|_| SIGNATURE.to_owned()));
        let text = self.redactor.excerpt(&text, EXCERPT);
        (Answer::Answered { status: head.status.as_u16(), headers, text }, leaks)
    }
}

/// All at once, in their order.
async fn together(asked: impl Iterator<Item = impl Future<Output = Observation>>) -> Vec<Observation> {
    let mut pending: Vec<_> = asked.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut open = false;
        for (future, done) in &mut pending {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(observation) => *done = Some(observation),
                    std::task::Poll::Pending => open = true,
                }
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    pending.into_iter().filter_map(|(_, done)| done).collect()
}

fn not_answered(error: &Error) -> Answer {
    let mut words = error.to_string();
    let (mut kind, mut no_host) = (None, false);
    let mut inner: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(source) = inner {
        words = source.to_string();
        no_host |= words.contains("dns error") || words.contains("failed to lookup address");
        kind = source.downcast_ref::<std::io::Error>().map(std::io::Error::kind).or(kind);
        inner = source.source();
    }
    if !error.is_connect() {
        return Answer::BrokenOff(words);
    }
    let why = match kind {
        _ if no_host => NoConnection::NoSuchHost,
        Some(ErrorKind::ConnectionRefused) => NoConnection::Refused,
        Some(ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
            NoConnection::TimedOut
        }
        _ => NoConnection::Other,
    };
    Answer::NoConnection(why, words)
}
