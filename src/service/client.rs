//! Sends upstream calls over real sockets, with a time-out. A shell: decides nothing.
//!
//! Must not know: jobs, the store.

use super::{
    config::{Config, Secret},
    upstream::{Call, CallResult, Transport, Upstream, outcome, request, stripe},
};
use crate::wire::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;

/// Largest answer that is read: a page of a hundred events, each of ten kilobytes or so, fits several times.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// The upstream client; cheap to clone, connections are shared.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    config: Config,
}

impl Client {
    /// A client for the peers of `config`.
    pub fn new(config: &Config) -> Self {
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let pool = Pool::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(20)).build(connector);
        Self { pool, config: config.clone() }
    }

    /// Makes the call and says what it came to.
    pub async fn send(&self, call: &Call) -> CallResult {
        let config = &self.config;
        let (base, token) = match call.upstream() {
            Upstream::Crm => (config.crm_url.as_str(), config.crm_token.expose()),
            Upstream::Desk => (config.support_url.as_str(), config.support_token.expose()),
            Upstream::Stripe => (config.stripe_url.as_deref().unwrap_or_default(), config.stripe_key.expose()),
            Upstream::Alerts => (config.alert_url.as_ref().map_or("", Secret::expose), ""),
        };
        let request = request(call, token);
        let answer = match tokio::time::timeout(self.config.call_timeout, self.exchange(base, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Transport::TimedOut),
        };
        outcome(call, answer.as_ref().map_err(|error| *error))
    }

    /// Asks Stripe while a person waits.
    ///
    /// # Errors
    /// Words for the operator's log: why there is no answer.
    pub async fn ask(&self, ask: &stripe::Ask) -> Result<stripe::Answer, String> {
        let Some(base) = &self.config.stripe_url else { return Err("no address of Stripe's API is set".to_owned()) };
        let request = stripe::request(ask, self.config.stripe_key.expose());
        let answer = match tokio::time::timeout(self.config.call_timeout, self.exchange(base, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Transport::TimedOut),
        };
        stripe::read(ask, answer.as_ref().map_err(|error| *error))
    }

    async fn exchange(&self, base: &str, request: Request) -> Result<Response, Transport> {
        let query: Vec<_> = request.query.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}{}{mark}{}", base.trim_end_matches('/'), request.path, query.join("&"));
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(uri);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(traceparent) = super::telemetry::traceparent() {
            builder = builder.header("traceparent", traceparent);
        }
        let request = builder.body(Full::new(Bytes::from(request.body))).map_err(|_| Transport::Broken)?;
        let response = self.pool.request(request).await.map_err(|_| Transport::Broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(|_| Transport::Broken)?.to_bytes();
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
        };
        Ok(Response {
            status: head.status.as_u16(),
            headers: head.headers.iter().filter_map(header).collect(),
            body: body.to_vec(),
            delay: Duration::ZERO,
        })
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped() {
        assert_eq!(escape("invoice:in_1 é"), "invoice%3Ain_1%20%C3%A9");
    }
}
