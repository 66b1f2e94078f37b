//! Takes connections and hands their requests to the routes: a time limit on headers, a limit on connections, the peer's
//! address, a graceful end.
//!
//! Must not know: routes, what a request is about.

use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tower_service::Service;

/// The address at the other end of the connection; a proxy's, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PeerAddress(pub(super) SocketAddr);

/// Connections at a time. One more waits in the system's queue until another ends: idle ones end with [`serve`]'s time limit.
const CONNECTIONS: usize = 4096;

/// Longest that requests under way may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// A moment for the system to get its breath (no file descriptors, no memory).
const BREATH: Duration = Duration::from_millis(100);

/// Serves until `stopped` says so, then takes no more connections and lets requests under way end. Whoever takes longer than
/// `header_timeout` to send a request's headers, or to begin with the next one, is hung up on.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    header_timeout: Duration,
) {
    let (places, graceful) = (Arc::new(Semaphore::new(CONNECTIONS)), GracefulShutdown::new());
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(header_timeout);
    loop {
        let (stream, peer, place) = tokio::select! {
            biased;
            // The one who says stop is gone: that is the end as well.
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(next) = accept(&listener, &places) => next,
        };
        let router = router.clone();
        let answer = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(PeerAddress(peer));
            router.clone().call(request)
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection broke off: {error}");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests under way did not end within {} s", GRACE.as_secs());
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and whole: waiting for more to send would only make them later.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("a connection was gone at once: {error}");
                    continue;
                }
                return Some((stream, peer, place));
            }
            Err(error) => {
                tracing::warn!("cannot take a connection: {error}");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
