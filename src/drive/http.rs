//! The sender's HTTP client: one attempt out, one outcome back. HTTP/1.1 over TCP or TLS (rustls), redirects not followed,
//! nothing repeated behind the plan's back.
//!
//! Must not know: plans, retries, what an answer should be.

use crate::history::record::Outcome;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;

/// Answers are read up to this size; what a receiver says beyond it does not matter to Stripe either.
const ANSWER_LIMIT: usize = 256 * 1024;

/// A client for webhooks, probes and visits.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
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
    url: String,
    what: String,
}

impl Sender {
    /// A client with its own connections.
    pub fn new() -> Self {
        let https =
            hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .retry_canceled_requests(false)
            .http1_title_case_headers(true)
            .pool_idle_timeout(Duration::from_secs(5))
            .build(https);
        Self { client }
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
        let mut request = hyper::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| RequestError { url: url.to_owned(), what: error.to_string() })?;
        Ok(match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Answer::none(Outcome::Indefinite, format!("no answer within {} ms", timeout.as_millis())),
        })
    }

    async fn exchange(&self, request: hyper::Request<Full<Bytes>>) -> Answer {
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return Answer::none(Outcome::Refused, format!("no connection: {}", innermost(&error)));
            }
            Err(error) => return Answer::none(Outcome::Indefinite, format!("broken off: {}", innermost(&error))),
        };
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), ANSWER_LIMIT).collect().await {
            Ok(body) => Answer {
                outcome: if crate::stripe::retry::is_success(status) { Outcome::Acked } else { Outcome::Refused },
                status: Some(status),
                text: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                reason: None,
            },
            // The status line came: for the sender that settles it, whatever became of the text.
            Err(error) => Answer {
                outcome: if crate::stripe::retry::is_success(status) { Outcome::Acked } else { Outcome::Refused },
                status: Some(status),
                text: String::new(),
                reason: Some(format!("answer not read: {error}")),
            },
        }
    }
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    fn none(outcome: Outcome, reason: String) -> Self {
        Self { outcome, status: None, text: String::new(), reason: Some(reason) }
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
