//! The sender's HTTP client: one attempt out, one outcome back. HTTP/1.1 over TCP or TLS (rustls), redirects not followed,
//! nothing repeated behind the plan's back.
//!
//! Must not know: plans, retries, what an answer should be.

use crate::history::record::Outcome;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{convert::Infallible, time::Duration};

/// Answers are read up to this size; what a receiver says beyond it does not matter to Stripe either.
pub(super) const ANSWER_LIMIT: usize = 256 * 1024;

/// A body on its way out, whole or piece by piece.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, Infallible>;

/// Makes connections, with TLS where the URL says so.
pub(super) type Connector = HttpsConnector<HttpConnector>;

/// A client for webhooks, probes and visits.
#[derive(Clone, Debug)]
pub struct Sender {
    kept_alive: Client<Connector, Outgoing>,
    fresh: Client<Connector, Outgoing>,
    pub(super) connector: Connector,
}

/// Whether a request may go over a connection that is open already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// It may, and the connection is kept for the next.
    KeptAlive,
    /// It gets one of its own, which is closed afterwards.
    Fresh,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As Stripe would see it.
    pub outcome: Outcome,
    /// Status code, when there was an answer.
    pub status: Option<u16>,
    /// Text of the answer, invalid UTF-8 replaced.
    pub text: String,
    /// Why there was no answer.
    pub reason: Option<String>,
}

/// Why a request could not even be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot send to `{url}`: {what}")]
pub struct RequestError {
    pub(super) url: String,
    pub(super) what: String,
}

impl Sender {
    /// A client with its own connections.
    pub fn new() -> Self {
        let connector =
            hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let mut builder = Client::builder(TokioExecutor::new());
        builder.retry_canceled_requests(false).http1_title_case_headers(true).pool_idle_timeout(Duration::from_secs(5));
        let kept_alive = builder.build(connector.clone());
        let fresh = builder.pool_max_idle_per_host(0).build(connector.clone());
        Self { kept_alive, fresh, connector }
    }

    /// Sends one request and reads its answer within `timeout`.
    ///
    /// # Errors
    /// [`RequestError`] when URL or headers cannot be written as HTTP; everything on the wire is an [`Answer`].
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, RequestError> {
        let request = request(method, url, headers, Full::new(body).boxed_unsync())?;
        Ok(self.send_request(Connection::KeptAlive, request, timeout).await)
    }

    /// Sends a request that is written already.
    pub(super) async fn send_request(
        &self,
        connection: Connection,
        request: hyper::Request<Outgoing>,
        timeout: Duration,
    ) -> Answer {
        match tokio::time::timeout(timeout, self.exchange(connection, request)).await {
            Ok(answer) => answer,
            Err(_) => Answer::none(Outcome::Indefinite, format!("no answer within {} ms", timeout.as_millis())),
        }
    }

    async fn exchange(&self, connection: Connection, request: hyper::Request<Outgoing>) -> Answer {
        let client = match connection {
            Connection::KeptAlive => &self.kept_alive,
            Connection::Fresh => &self.fresh,
        };
        let response = match client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return Answer::none(Outcome::Refused, format!("no connection: {}", innermost(&error)));
            }
            Err(error) => return Answer::none(Outcome::Indefinite, format!("broken off: {}", innermost(&error))),
        };
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), ANSWER_LIMIT).collect().await {
            Ok(body) => Answer::of(status, String::from_utf8_lossy(&body.to_bytes()).into_owned()),
            // The status line came: for the sender that settles it, whatever became of the text.
            Err(error) => {
                Answer { reason: Some(format!("answer not read: {error}")), ..Answer::of(status, String::new()) }
            }
        }
    }
}

/// A request as hyper takes it.
pub(super) fn request(
    method: &str,
    url: &str,
    headers: &[(&str, String)],
    body: Outgoing,
) -> Result<hyper::Request<Outgoing>, RequestError> {
    let mut request = hyper::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(body).map_err(|error| RequestError { url: url.to_owned(), what: error.to_string() })
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// An answer that came.
    pub(super) fn of(status: u16, text: String) -> Self {
        let outcome = if crate::stripe::retry::is_success(status) { Outcome::Acked } else { Outcome::Refused };
        Self { outcome, status: Some(status), text, reason: None }
    }

    /// None came.
    pub(super) fn none(outcome: Outcome, reason: String) -> Self {
        Self { outcome, status: None, text: String::new(), reason: Some(reason) }
    }
}

/// What lies at the bottom of an error.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
