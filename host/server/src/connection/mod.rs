//! One connection, from the choice of its protocol to its end.
//!
//! - `coalesced_writes.rs`: responses of one pass of the event loop, sent back to back.

pub(crate) mod coalesced_writes;

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use http::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::connection::coalesced_writes::CoalescedWrites;
use crate::connection_state::{ConnectionState, DRAIN_GRACE, Timeout};
use crate::handler;
use crate::handler::context::WorkerContext;
use crate::handler::incoming::Incoming;
use crate::http1::StrictStream;
use crate::http2::{self, PREFACE};
use crate::serving::{EarlyEnd, Serving};
use crate::settings::ConnectionLimits;
use crate::transport::listener::Accepted;
use crate::transport::socket::Socket;
use telemetry::metrics::ConnectionError;

/// Set when the server ends.
pub(crate) type Ending = watch::Receiver<bool>;

/// Serves one connection until either side ends it.
pub(crate) async fn serve(accepted: Accepted, shared: Rc<WorkerContext>, ending: Ending) {
    let metrics = &shared.telemetry.metrics;
    let _open = metrics.open_connection();
    let limits = &shared.settings.connections;
    let opened = timeout(limits.header_read_timeout, Socket::open(accepted)).await;
    let (mut socket, info) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            metrics.record_connection_error(ConnectionError::Tls);
            return tracing::debug!("connection not opened: {error}");
        }
        Err(_) => {
            metrics.record_connection_error(ConnectionError::Tls);
            return tracing::debug!("connection not opened in time");
        }
    };
    let mut server_ends = ending.clone();
    let begun = {
        let mut first_bytes = pin!(begin(&mut socket, limits));
        tokio::select! {
            biased;
            begun = &mut first_bytes => begun,
            // A request may be on its way.
            _ = server_ends.wait_for(|is_ending| *is_ending) => {
                timeout(DRAIN_GRACE, first_bytes).await.ok().flatten()
            }
        }
    };
    let Some((protocol, begun)) = begun else {
        return;
    };
    let state = ConnectionState::new(info);
    match protocol {
        Protocol::Http1 => Box::pin(serve_http1(socket, begun, state, shared, ending)).await,
        Protocol::Http2 => Box::pin(serve_http2(socket, begun, state, shared, ending)).await,
    }
}

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Reads as many bytes as identify the protocol. Returns None if the client sends nothing.
async fn begin(socket: &mut Socket, limits: &ConnectionLimits) -> Option<(Protocol, BytesMut)> {
    let mut begun = BytesMut::new();
    if socket.has_agreed_on_http2() {
        return Some((Protocol::Http2, begun));
    }
    let mut deadline = Instant::now() + limits.idle_timeout;
    while begun.len() < PREFACE.len() && PREFACE.starts_with(&begun) {
        match timeout_at(deadline, socket.read_buf(&mut begun)).await {
            Ok(Ok(count)) if count > 0 => {}
            // The strict stream responds to an incomplete head.
            Err(_) if !begun.is_empty() => break,
            _ => return None,
        }
        // The whole head has to arrive until then, in pieces of any size.
        deadline = deadline.min(Instant::now() + limits.header_read_timeout);
    }
    let protocol = if begun.starts_with(PREFACE) {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    Some((protocol, begun))
}

async fn serve_http1(
    socket: Socket,
    begun: BytesMut,
    state: Rc<ConnectionState>,
    shared: Rc<WorkerContext>,
    ending: Ending,
) {
    let limits = &shared.settings.connections;
    let read_buffer = shared.read_buffer.clone();
    let stream = StrictStream::new(
        socket,
        begun,
        state.clone(),
        read_buffer,
        limits.message(&shared.settings.bodies),
        limits.half_close_timeout,
    );
    let service = {
        let (state, shared) = (state.clone(), shared.clone());
        service_fn(move |request: Request<_>| {
            let request = request.map(Incoming::Http1);
            handler::handle(request, state.clone(), shared.clone())
        })
    };
    let mut builder = http1::Builder::new();
    // Set to its own default, hyper would allocate for it with each request.
    if limits.max_headers.get() != HYPER_MAX_HEADERS {
        builder.max_headers(limits.max_headers.get());
    }
    let connection = builder
        .timer(TokioTimer::new())
        // Its clock never steps back, and panics before 1970.
        .auto_date_header(false)
        // The strict stream reads heads, and times them.
        .header_read_timeout(None)
        .max_header_size(limits.max_header_bytes + MIN_BUFFER_BYTES)
        .max_buf_size(limits.max_header_bytes + MIN_BUFFER_BYTES)
        .serve_connection(CoalescedWrites::new(stream), service);
    run(connection, &state, &shared, ending, Protocol::Http1).await;
}

/// hyper's default limit of fields.
const HYPER_MAX_HEADERS: usize = 100;

/// The smallest buffer of hyper, and the size by which its buffer exceeds a head that the strict
/// stream accepts.
const MIN_BUFFER_BYTES: usize = 64 << 10;

async fn serve_http2(
    mut socket: Socket,
    mut begun: BytesMut,
    state: Rc<ConnectionState>,
    shared: Rc<WorkerContext>,
    ending: Ending,
) {
    let limits = &shared.settings.connections;
    if !http2::read_preface(&mut socket, &mut begun, limits).await {
        return;
    }
    let socket = http2::PrefixedIo::new(socket, begun, state.clone());
    let handshake = http2::Connection::open(socket, state.clone(), shared.clone());
    // The preface has arrived: this waits only for a client that reads no settings.
    match timeout(limits.write_timeout, handshake).await {
        Ok(Ok(connection)) => {
            run(connection, &state, &shared, ending, Protocol::Http2).await;
        }
        Ok(Err(error)) => note_early_end(&error, &state, &shared),
        Err(_) => shared
            .telemetry
            .metrics
            .record_connection_error(ConnectionError::WriteTimeout),
    }
}

/// Counts and logs the early end of a connection.
fn note_early_end(error: &impl EarlyEnd, state: &ConnectionState, shared: &WorkerContext) {
    if let Some(kind) = error.kind() {
        shared.telemetry.metrics.record_connection_error(kind);
    }
    let peer = state.connect_info.peer;
    tracing::debug!(?peer, "connection ended early: {error}");
}

/// Drives a connection until it ends, its client is late, or the server ends.
async fn run<C: Serving>(
    connection: C,
    state: &ConnectionState,
    shared: &WorkerContext,
    mut ending: Ending,
    protocol: Protocol,
) {
    let limits = &shared.settings.connections;
    let metrics = &shared.telemetry.metrics;
    let peer = state.connect_info.peer;
    let mut connection = pin!(connection);
    let mut server_ends = pin!(ending.wait_for(|is_ending| *is_ending));
    let mut look = pin!(sleep(state.next_check(limits)));
    let (mut is_told, mut is_graceful) = (false, false);
    // Since when the connection is idle, and its client was told to end it.
    let mut dismissed: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                if let Err(error) = result {
                    note_early_end(&error, state, shared);
                }
                return;
            }
            _ = &mut server_ends, if !is_told => {
                is_told = true;
                state.end();
                look.as_mut().reset(Instant::now() + state.next_check(limits));
            }
            () = &mut look => {
                let expired = state.check_timeouts(limits);
                dismissed = dismissed.filter(|_| expired == Some(Timeout::Idle));
                match expired {
                    Some(Timeout::Write) => {
                        metrics.record_connection_error(ConnectionError::WriteTimeout);
                        return tracing::debug!(?peer, "client took nothing of its response");
                    }
                    Some(Timeout::Idle)
                        if dismissed.is_some_and(|at| {
                            let taken = state.since_sent();
                            is_over(at.elapsed(), taken, limits.write_timeout)
                        }) =>
                    {
                        metrics.record_connection_error(ConnectionError::WriteTimeout);
                        return tracing::debug!(?peer, "client did not end its connection");
                    }
                    Some(Timeout::Idle) if protocol == Protocol::Http2 => {
                        dismissed.get_or_insert_with(Instant::now);
                        is_graceful = end(connection.as_mut(), is_graceful);
                    }
                    // The strict stream acts on it.
                    Some(Timeout::Idle | Timeout::Head) | None => {}
                }
                look.as_mut().reset(Instant::now() + state.next_check(limits));
            }
        }
        // Requests that are in flight are answered first.
        if state.is_ending() && !state.is_idle() {
            is_graceful = end(connection.as_mut(), is_graceful);
        }
    }
}

/// Whether an HTTP/2 client has had its time to end a connection, `told` after it was told to. It
/// may still read a response, and last did so `taken` ago.
fn is_over(told: Duration, taken: Duration, limit: Duration) -> bool {
    /// A client that reads now and then gets this multiple of the time.
    const MOST: u32 = 10;

    (told >= limit && taken >= limit) || told >= limit * MOST
}

/// Lets a connection end after the requests that have begun.
fn end<C: Serving>(connection: Pin<&mut C>, is_graceful: bool) -> bool {
    if !is_graceful {
        connection.end();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_reads_has_more_time_to_end_its_connection() {
        const LIMIT: Duration = Duration::from_secs(30);
        const NOW: Duration = Duration::ZERO;

        assert!(is_over(LIMIT, LIMIT, LIMIT));
        assert!(!is_over(NOW, LIMIT * 20, LIMIT));
        assert!(!is_over(LIMIT * 9, NOW, LIMIT));
        assert!(is_over(LIMIT * 10, NOW, LIMIT));
    }
}
