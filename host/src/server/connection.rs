//! HTTP/1.1 on one connection.

use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;

use super::listener::Accepted;
use super::request;
use super::socket::Socket;
use super::turn::InTurn;
use super::worker::Shared;

/// How long a client may take to send the head of a request, also the first one
/// and those after a pause.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves one connection until either side ends it.
pub(super) async fn serve(accepted: Accepted, shared: Rc<Shared>, graceful: Watcher) {
    let (socket, ends) = match Socket::open(accepted).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::debug!("connection lost: {error}");
            return;
        }
    };
    let service = service_fn(move |request| request::handle(request, ends, shared.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .pipeline_flush(true)
        .serve_connection(InTurn::new(TokioIo::new(socket)), service);
    if let Err(error) = graceful.watch(connection).await {
        tracing::debug!(peer = ?ends.peer, "connection ended early: {error}");
    }
}
