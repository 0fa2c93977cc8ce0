//! HTTP/1.1 on one connection.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpStream;

use super::request::{self, Ends};
use super::turn::InTurn;
use super::worker::Shared;

/// How long a client may take to send the head of a request, also the first one
/// and those after a pause.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves one connection until either side ends it.
pub(super) fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Rc<Shared>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    // Answers are written whole, so waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, "cannot set TCP_NODELAY: {error}");
    }
    let ends = Ends {
        local: stream.local_addr().ok(),
        peer: Some(peer),
    };
    let service = service_fn(move |request| request::handle(request, ends, shared.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .pipeline_flush(true)
        .serve_connection(InTurn::new(TokioIo::new(stream)), service);
    let connection = graceful.watch(connection);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, "connection ended early: {error}");
        }
    }
}
