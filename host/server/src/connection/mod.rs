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
use telemetry::metrics::ConnectionError;
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
use crate::serving::{ConnectionFailure, Serving};
use crate::settings::ConnectionLimits;
use crate::transport::listener::Accepted;
use crate::transport::socket::Socket;

/// Set when the server shuts down.
pub(crate) type Shutdown = watch::Receiver<bool>;

/// Serves one connection until either side ends it.
pub(crate) async fn serve(accepted: Accepted, shared: Rc<WorkerContext>, shutdown: Shutdown) {
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
    let mut shutting_down = shutdown.clone();
    let prefix = {
        let mut preface = pin!(read_prefix(&mut socket, limits));
        tokio::select! {
            biased;
            prefix = &mut preface => prefix,
            // A request may be on its way.
            _ = shutting_down.wait_for(|is_set| *is_set) => {
                timeout(DRAIN_GRACE, preface).await.ok().flatten()
            }
        }
    };
    let Some((protocol, prefix)) = prefix else {
        return;
    };
    let state = ConnectionState::new(info);
    match protocol {
        Protocol::Http1 => Box::pin(serve_http1(socket, prefix, state, shared, shutdown)).await,
        Protocol::Http2 => Box::pin(serve_http2(socket, prefix, state, shared, shutdown)).await,
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
async fn read_prefix(
    socket: &mut Socket,
    limits: &ConnectionLimits,
) -> Option<(Protocol, BytesMut)> {
    let mut prefix = BytesMut::new();
    if socket.has_agreed_on_http2() {
        return Some((Protocol::Http2, prefix));
    }
    let mut deadline = Instant::now() + limits.idle_timeout;
    while prefix.len() < PREFACE.len() && PREFACE.starts_with(&prefix) {
        match timeout_at(deadline, socket.read_buf(&mut prefix)).await {
            Ok(Ok(count)) if count > 0 => {}
            // The strict stream responds to an incomplete head.
            Err(_) if !prefix.is_empty() => break,
            _ => return None,
        }
        // The whole head has to arrive until then, in pieces of any size.
        deadline = deadline.min(Instant::now() + limits.header_read_timeout);
    }
    let protocol = if prefix.starts_with(PREFACE) {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    Some((protocol, prefix))
}

async fn serve_http1(
    socket: Socket,
    prefix: BytesMut,
    state: Rc<ConnectionState>,
    shared: Rc<WorkerContext>,
    shutdown: Shutdown,
) {
    let limits = &shared.settings.connections;
    let read_buffer = shared.read_buffer.clone();
    let stream = StrictStream::new(
        socket,
        prefix,
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
    run(connection, &state, &shared, shutdown, Protocol::Http1).await;
}

/// hyper's default limit of fields.
const HYPER_MAX_HEADERS: usize = 100;

/// The smallest buffer of hyper, and the size by which its buffer exceeds a head that the strict
/// stream accepts.
const MIN_BUFFER_BYTES: usize = 64 << 10;

async fn serve_http2(
    mut socket: Socket,
    mut prefix: BytesMut,
    state: Rc<ConnectionState>,
    shared: Rc<WorkerContext>,
    shutdown: Shutdown,
) {
    let limits = &shared.settings.connections;
    if !http2::read_preface(&mut socket, &mut prefix, limits).await {
        return;
    }
    let socket = http2::PrefixedIo::new(socket, prefix, state.clone());
    let handshake = http2::Connection::open(socket, state.clone(), shared.clone());
    // The preface has arrived: this waits only for a client that reads no settings.
    match timeout(limits.write_timeout, handshake).await {
        Ok(Ok(connection)) => {
            run(connection, &state, &shared, shutdown, Protocol::Http2).await;
        }
        Ok(Err(error)) => record_failure(&error, &state, &shared),
        Err(_) => shared
            .telemetry
            .metrics
            .record_connection_error(ConnectionError::WriteTimeout),
    }
}

/// Counts and logs a connection that failed.
fn record_failure(error: &impl ConnectionFailure, state: &ConnectionState, shared: &WorkerContext) {
    if let Some(kind) = error.kind() {
        shared.telemetry.metrics.record_connection_error(kind);
    }
    let peer = state.connect_info.peer;
    tracing::debug!(?peer, "connection ended early: {error}");
}

/// Drives a connection until it ends, a timeout expires, or the server shuts down.
async fn run<C: Serving>(
    connection: C,
    state: &ConnectionState,
    shared: &WorkerContext,
    mut shutdown: Shutdown,
    protocol: Protocol,
) {
    let limits = &shared.settings.connections;
    let metrics = &shared.telemetry.metrics;
    let peer = state.connect_info.peer;
    let mut connection = pin!(connection);
    let mut shutting_down = pin!(shutdown.wait_for(|is_set| *is_set));
    let mut next_check = pin!(sleep(state.next_check(limits)));
    let (mut is_draining, mut is_graceful) = (false, false);
    // The time of GOAWAY on an idle connection.
    let mut goaway_sent: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                if let Err(error) = result {
                    record_failure(&error, state, shared);
                }
                return;
            }
            _ = &mut shutting_down, if !is_draining => {
                is_draining = true;
                state.end();
                next_check.as_mut().reset(Instant::now() + state.next_check(limits));
            }
            () = &mut next_check => {
                let expired = state.check_timeouts(limits);
                goaway_sent = goaway_sent.filter(|_| expired == Some(Timeout::Idle));
                match expired {
                    Some(Timeout::Write) => {
                        metrics.record_connection_error(ConnectionError::WriteTimeout);
                        return tracing::debug!(?peer, "write timeout: the client does not read its response");
                    }
                    Some(Timeout::Idle)
                        if goaway_sent.is_some_and(|at| {
                            let since_read = state.since_sent();
                            goaway_expired(at.elapsed(), since_read, limits.write_timeout)
                        }) =>
                    {
                        metrics.record_connection_error(ConnectionError::WriteTimeout);
                        return tracing::debug!(?peer, "write timeout: the client did not close the connection after GOAWAY");
                    }
                    Some(Timeout::Idle) if protocol == Protocol::Http2 => {
                        goaway_sent.get_or_insert_with(Instant::now);
                        is_graceful = shut_down(connection.as_mut(), is_graceful);
                    }
                    // The strict stream acts on it.
                    Some(Timeout::Idle | Timeout::Head) | None => {}
                }
                next_check.as_mut().reset(Instant::now() + state.next_check(limits));
            }
        }
        // Requests that are in flight are answered first.
        if state.is_ending() && !state.is_idle() {
            is_graceful = shut_down(connection.as_mut(), is_graceful);
        }
    }
}

/// Whether an HTTP/2 client should have closed its connection by now. It may still read a response.
fn goaway_expired(since_goaway: Duration, since_read: Duration, limit: Duration) -> bool {
    /// Maximum of the time for a client that reads now and then, as a multiple of the limit.
    const MAX_FACTOR: u32 = 10;

    (since_goaway >= limit && since_read >= limit) || since_goaway >= limit * MAX_FACTOR
}

/// Ends a connection after the requests in flight.
fn shut_down<C: Serving>(connection: Pin<&mut C>, is_graceful: bool) -> bool {
    if !is_graceful {
        connection.end();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_reads_has_more_time_to_close_after_goaway() {
        const LIMIT: Duration = Duration::from_secs(30);
        const NOW: Duration = Duration::ZERO;

        assert!(goaway_expired(LIMIT, LIMIT, LIMIT));
        assert!(!goaway_expired(NOW, LIMIT * 20, LIMIT));
        assert!(!goaway_expired(LIMIT * 9, NOW, LIMIT));
        assert!(goaway_expired(LIMIT * 10, NOW, LIMIT));
    }
}
