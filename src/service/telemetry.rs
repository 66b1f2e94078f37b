//! OpenTelemetry traces over OTLP/HTTP, when they are asked for. Without that nothing is made, kept or sent.
//!
//! The SDK reads the standard `OTEL_*` variables itself. Spans carry words of this program and ids of events, never a body, an
//! e-mail or a secret. Must not know: what the spans are about.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::runtime::Handle;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// The target of all spans: traces take it, logs leave it out.
pub const TARGET: &str = "hookdrill::spans";

/// Name of the service, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says another.
const NAME: &str = "hookdrill";

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
#[error("set the traces up: {0}")]
pub struct TracesError(String);

/// Traces on their way out.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sends spans in batches to where the standard variables say, on the runtime of `handle`.
    ///
    /// # Errors
    /// [`TracesError`]: the variables do not read.
    pub fn start(handle: Handle, named: bool) -> Result<Self, TracesError> {
        let wrong = |error: &dyn fmt::Display| TracesError(error.to_string());
        let exporter = SpanExporter::builder().with_http().with_http_client(Outlet::new(handle)).build();
        let exporter = exporter.map_err(|error| wrong(&error))?;
        let resource = Resource::builder();
        let resource = if named { resource } else { resource.with_service_name(NAME) };
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        Ok(Self { provider })
    }

    /// What hands our spans over.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(NAME))
            .with_location(false)
            .with_threads(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }

    /// Sends what is left. Blocks for a moment; the runtime must still be there.
    pub fn finish(self) {
        // A receiver that is gone at the end is no reason to end badly.
        drop(self.provider.shutdown_with_timeout(Duration::from_secs(3)));
    }
}

/// `traceparent` (W3C Trace Context) of the present span; none when it is not traced.
pub(super) fn traceparent() -> Option<String> {
    let context = tracing::Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
}

/// Longest answer of a receiver that is read.
const ANSWER_LIMIT: usize = 64 * 1024;
/// Longest wait for a receiver.
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts batches. The SDK's own thread waits; the sending itself is done on the runtime.
struct Outlet {
    pool: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    handle: Handle,
    failing: AtomicBool,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlet")
    }
}

impl Outlet {
    fn new(handle: Handle) -> Self {
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let pool = Client::builder(TokioExecutor::new()).build(connector);
        Self { pool, handle, failing: AtomicBool::new(false) }
    }

    async fn post(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let (pool, request) = (self.pool.clone(), request.map(Full::new));
        let exchange = async move {
            let (head, body) = pool.request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes();
            Ok::<_, HttpError>(http::Response::from_parts(head, body))
        };
        self.handle.spawn(async { tokio::time::timeout(PATIENCE, exchange).await }).await??
    }

    /// Says once that traces do not get through, and once that they do again.
    fn note(&self, well: bool) {
        if self.failing.swap(!well, Ordering::Relaxed) == well {
            if well {
                tracing::info!("traces are taken again");
            } else {
                tracing::warn!("the receiver of traces does not take them; they are dropped");
            }
        }
    }
}

impl HttpClient for Outlet {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.post(request).await;
            self.note(answer.as_ref().is_ok_and(|answer| answer.status().is_success()));
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_trace_there_is_no_header() {
        assert_eq!(traceparent(), None);
    }
}
