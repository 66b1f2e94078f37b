//! A TCP relay in front of a double's server: it owns the caller's socket, so it can reset it, hold it in silence, or close it
//! after half of an answer, none of which an HTTP server does.
//!
//! The server behind marks an answer with the header [`MARK`]; the relay obeys the mark and strips it, so that the caller
//! sees nothing of it. One connection of the caller, one task; calls on it are forwarded one by one, as they come.
//! Must not know: which faults there are, doubles, what is in a call.

use super::script::Break;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header, response::Parts};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{AbortHandle, JoinSet},
};

/// Header with which the server behind says how an answer is to end.
pub const MARK: &str = "x-hookdrill-break";

/// Until half an answer is surely with the caller.
const ARRIVES_WITHIN: Duration = Duration::from_millis(30);

type Answer = UnsyncBoxBody<Bytes, Infallible>;
type Forwarder = Client<HttpConnector, Full<Bytes>>;

/// A running relay; it and all its connections end when this is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    task: AbortHandle,
}

impl Relay {
    /// Relays every connection of `listener` to the HTTP/1.1 server at `behind`.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub fn start(listener: StdListener, behind: SocketAddr) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, behind)).abort_handle();
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Pause after an accept that failed: mostly there are too many open sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

async fn accept(listener: TcpListener, behind: SocketAddr) {
    let forwarder: Forwarder = Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(connections.spawn(serve(stream, behind, forwarder.clone()))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// What a call asks of its connection.
#[derive(Debug, Default)]
struct Ends {
    reset: Notify,
    cut: Notify,
}

type Forwarding = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

/// Serves one connection to its end, whichever that is.
async fn serve(stream: TcpStream, behind: SocketAddr, forwarder: Forwarder) {
    drop(stream.set_nodelay(true));
    let ends = Arc::new(Ends::default());
    let service = {
        let ends = Arc::clone(&ends);
        service_fn(move |request| -> Forwarding {
            Box::pin(forward(request, behind, forwarder.clone(), Arc::clone(&ends)))
        })
    };
    let mut connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error is the caller's end of the connection: nobody is left to be told.
        _ = &mut connection => {}
        () = ends.reset.notified() => {
            // The last owner closes with `SO_LINGER` 0: a reset. A socket that does not take it is gone already.
            drop(connection.into_parts().io.into_inner().set_zero_linger());
        }
        () = ends.cut.notified() => {
            drop(tokio::time::timeout(ARRIVES_WITHIN, &mut connection).await);
        }
    }
}

/// Asks the server behind and does what its mark says.
async fn forward(
    request: Request<Incoming>,
    behind: SocketAddr,
    forwarder: Forwarder,
    ends: Arc<Ends>,
) -> Result<Response<Answer>, Infallible> {
    let Some((mut head, body)) = exchange(request, behind, &forwarder).await else {
        // The server behind broke off, or the caller's request did: there is nothing to answer with.
        ends.reset.notify_one();
        return std::future::pending().await;
    };
    match head.headers.remove(MARK).and_then(|mark| read_mark(&mark)) {
        None => Ok(Response::from_parts(head, Full::new(body).boxed_unsync())),
        Some(Break::Reset) => {
            ends.reset.notify_one();
            std::future::pending().await
        }
        Some(Break::Silence) => std::future::pending().await,
        Some(Break::CutOff) => {
            let half = Half { told: body.len() as u64, rest: Some(body.slice(..body.len() / 2)), ends };
            Ok(Response::from_parts(head, half.boxed_unsync()))
        }
    }
}

/// The mark for a break.
pub const fn mark(breaks: Break) -> &'static str {
    match breaks {
        Break::Reset => "reset",
        Break::Silence => "silence",
        Break::CutOff => "cut-off",
    }
}

fn read_mark(value: &HeaderValue) -> Option<Break> {
    [Break::Reset, Break::Silence, Break::CutOff]
        .into_iter()
        .find(|breaks| value.as_bytes() == mark(*breaks).as_bytes())
}

async fn exchange(request: Request<Incoming>, behind: SocketAddr, forwarder: &Forwarder) -> Option<(Parts, Bytes)> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let uri: Uri = format!("http://{behind}{path}").parse().ok()?;
    let mut forwarded = Request::builder().method(head.method).uri(uri).body(Full::new(body)).ok()?;
    *forwarded.headers_mut() = end_to_end(head.headers);
    let answered = forwarder.request(forwarded).await.ok()?;
    let (mut head, body) = answered.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    head.headers = end_to_end(head.headers);
    // A server that takes its own status for none is not ours; the caller must not wait for it.
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return None;
    }
    Some((head, body))
}

/// Headers without those that belong to one connection or one framing.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::UPGRADE, header::EXPECT]
    {
        headers.remove(name);
    }
    headers
}

/// A body that tells of more than it brings, and asks for the end of its connection.
struct Half {
    told: u64,
    rest: Option<Bytes>,
    ends: Arc<Ends>,
}

impl Body for Half {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.rest.take() {
            Some(half) => Poll::Ready(Some(Ok(Frame::data(half)))),
            None => {
                // Not ended, or the server would notice and keep back what it has not written yet.
                self.ends.cut.notify_one();
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.told)
    }
}
