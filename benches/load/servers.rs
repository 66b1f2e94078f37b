//! What is loaded: a server that only reads, and the service over a file, with small peers behind it.

use super::events::SECRET;
use bytes::Bytes;
use hookdrill::service::{
    Config, Secret,
    config::{Database, Written},
    run,
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, runtime::Runtime};

/// What is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// hyper that reads the body and answers 200: the ceiling.
    ReadsOnly,
    /// The service as it is.
    Grouped,
    /// The service with one commit an event.
    OneByOne,
}

/// A running server; it ends with this value.
pub(crate) struct Server {
    kind: Kind,
    address: SocketAddr,
    written: Arc<Written>,
    _runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts one over an empty database, on two threads as `hookdrill serve` does.
    pub(crate) fn start(kind: Kind) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let written = Arc::<Written>::default();
        match kind {
            Kind::ReadsOnly => drop(runtime.spawn(accept(listener, reads))),
            Kind::Grouped | Kind::OneByOne => {
                let peers = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
                let url = format!("http://{}", peers.local_addr().expect("an address"));
                drop(runtime.spawn(accept(peers, peer)));
                let mut config = Config::new(Secret::new(SECRET), url.clone(), url);
                config.database = Database::File(folder.path().join("service.db"));
                config.written = Arc::clone(&written);
                if kind == Kind::OneByOne {
                    config.settings.batch = 1;
                }
                drop(
                    runtime.spawn(async move { run(listener, config, std::future::pending()).await.expect("served") }),
                );
            }
        }
        Self { kind, address, written, _runtime: runtime, _folder: folder }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Deliveries taken in and the commits that they took.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.written.counts()
    }

    /// Whether it looks at what it is sent.
    pub(crate) fn looks(&self) -> bool {
        self.kind != Kind::ReadsOnly
    }
}

async fn accept<F, R>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> R + Copy + Send + 'static,
    R: Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await.expect("accepted");
        stream.set_nodelay(true).expect("set");
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

async fn reads(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    assert!(!body.is_empty());
    Ok(Response::new(Full::new(Bytes::from_static(b"{\"received\":true}"))))
}

/// A CRM and a desk that know nobody and take everything.
async fn peer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    request.into_body().collect().await.expect("a body");
    let (status, body) = match (method.as_str(), path.as_str()) {
        ("POST", "/crm/v3/objects/contacts/search") => (200, "{\"total\":0,\"results\":[]}"),
        ("GET", _) => (200, "{\"tickets\":[]}"),
        ("POST", "/api/v2/tickets") => (201, "{\"ticket\":{\"id\":1}}"),
        ("PATCH", _) => (200, "{\"id\":\"1\"}"),
        _ => (201, "{\"id\":\"1\"}"),
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("a response"))
}
