//! The admin listener: health, metrics and the deploy API.
//!
//! - this file: [`run`], the accept loop and one connection.
//! - `health.rs`: responses of `/livez`, `/readyz` and `/metrics`.
//! - `allowed_hosts.rs`: [`AllowedHosts`], the protection against web pages.
//! - `liveness.rs`: [`Liveness`], heartbeats of the workers.
//! - `readiness.rs`: [`Readiness`], reasons against further requests.
//! - `connection_limits.rs`: limits on connections that keep health available.
//! - `api/`: [`Admin`], the deploy API.
//!
//! It runs on the thread that accepts connections, not on workers: it responds independently of
//! their load and of guests that compute. That thread never blocks on a disk or a client. If it
//! stalls all the same, no connection is accepted either, and `/livez` does not respond.

mod allowed_hosts;
mod api;
mod connection_limits;
mod health;
mod liveness;
mod readiness;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::DATE;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};

pub use allowed_hosts::{AllowedHosts, parse_host};
pub use api::{Admin, Denials, MAX_TOKEN_BYTES, Token, TokenError};
use connection_limits::{IdleConnections, IdleGuard, RequestLimiter};
use health::problem;
pub use liveness::Liveness;
pub use readiness::Readiness;
use server::{Accepted, Listener, Socket, date};
use telemetry::metrics::Exporter;

/// Timeout of a whole connection.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Timeout for the head of a request: loopback has no slow network.
const HEAD_TIME: Duration = Duration::from_secs(2);

/// Maximum size of the head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Pause after an accept error, which an immediate retry would repeat.
const PAUSE: Duration = Duration::from_millis(50);

/// The state behind all endpoints.
pub struct AdminState {
    /// Heartbeats of the workers.
    pub liveness: Liveness,
    /// Reasons against further requests.
    pub readiness: Arc<Readiness>,
    /// All metrics.
    pub exporter: Exporter,
    /// The deploy API, once functions are set up, with `--admin-token`.
    pub admin: Arc<OnceLock<Admin>>,
    /// The host names of the listener.
    pub hosts: AllowedHosts,
}

/// Serves `GET /livez`, `/readyz` and `/metrics`, and the paths of [`Admin`], on `listener` until
/// dropped. Errors of the listener do not end it.
///
/// It must be called within a tokio runtime.
pub async fn run(listener: Listener, endpoints: AdminState) -> Infallible {
    let shared = Arc::new(Shared {
        endpoints,
        limiter: RequestLimiter::new(),
    });
    let idle = IdleConnections::default();
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                let guard = idle.next();
                let id = guard.id();
                let connection = Connection::new(shared.clone(), guard);
                let task = tokio::spawn(connection.serve(accepted));
                idle.add(id, task.abort_handle());
                is_failing = false;
            }
            Err(error) => {
                if !is_failing {
                    tracing::error!("the admin listener cannot accept connections: {error}");
                }
                is_failing = true;
                sleep(PAUSE).await;
            }
        }
    }
}

/// State that all connections share.
struct Shared {
    endpoints: AdminState,
    limiter: RequestLimiter,
}

/// One connection, for one request.
struct Connection {
    shared: Arc<Shared>,
    state: Mutex<ConnectionState>,
}

/// State of one connection.
struct ConnectionState {
    /// Until the head of the request has arrived.
    idle: Option<IdleGuard>,
    permit: Option<OwnedSemaphorePermit>,
    /// Timeout of the connection.
    time: Duration,
}

impl Connection {
    fn new(shared: Arc<Shared>, idle: IdleGuard) -> Arc<Self> {
        let state = ConnectionState {
            idle: Some(idle),
            permit: None,
            time: MAX_TIME,
        };
        Arc::new(Self {
            shared,
            state: Mutex::new(state),
        })
    }

    async fn serve(self: Arc<Self>, accepted: Accepted) {
        let socket = match Socket::open(accepted).await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::debug!("admin connection lost: {error}");
                return;
            }
        };
        let service = service_fn(|request| {
            let connection = self.clone();
            async move {
                let mut response = connection.answer(request).await;
                if let Some(date) = date() {
                    response.headers_mut().insert(DATE, date);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .keep_alive(false)
            // A client may shut down its sending side after the request. Timeouts end the rest.
            .half_close(true)
            .auto_date_header(false)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(socket), service);
        tokio::select! {
            ended = served => if let Err(error) = ended {
                tracing::debug!("admin connection ended early: {error}");
            },
            () = self.time_limit() => {
                tracing::debug!("admin connection timed out");
            }
        }
    }

    /// Resolves at the timeout of the connection, which its request can extend.
    async fn time_limit(&self) {
        let begin = Instant::now();
        loop {
            let end = begin + self.state().time;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.state().idle = None;
        let AdminState {
            liveness,
            readiness,
            exporter,
            admin,
            hosts,
        } = &self.shared.endpoints;
        let admin = admin.get().filter(|_| Admin::owns(&request));
        if let Err(rejection) = hosts.check(&request) {
            if let Some(admin) = admin {
                admin.deny(&request).await;
            }
            return problem(rejection.status, rejection.detail);
        }
        // Health needs no permit.
        let is_for_health = matches!(request.uri().path(), "/livez" | "/readyz");
        let is_denied = admin.is_some_and(|admin| !admin.allows(&request));
        if !is_for_health && !is_denied {
            if let Some(admin) = admin {
                self.state().time = admin.max_time;
            }
            let permit = self.shared.limiter.acquire().await;
            if permit.is_none() {
                return problem(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too many requests in the queue",
                );
            }
            self.state().permit = permit;
        }
        match admin {
            Some(admin) => admin.answer(request).await,
            None => health::respond(&request, liveness, readiness, exporter).await,
        }
    }

    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::thread;

    use audit_log::{AuditLog, Location, Settings};
    use tokio::runtime::Builder;

    use super::*;
    use server::Address;
    use telemetry::metrics::{Metrics, Sources};

    /// Runs a client on its own thread against an admin listener.
    fn ask<T: Send + 'static>(client: impl FnOnce(&str) -> T + Send + 'static) -> T {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let address: Address = "127.0.0.1:0".parse().unwrap();
            let listener = Listener::bind(&address, None).unwrap();
            let url = listener.url();
            let exporter = Exporter::new(Sources {
                metrics: Metrics::new(),
                audit: AuditLog::open(&Settings::new(Location::None)).unwrap(),
                forwarder: None,
                access_log: None,
                tracer: None,
            });
            let answers = AdminState {
                liveness: Liveness::new(Arc::default()),
                readiness: Readiness::new(None),
                exporter,
                admin: Arc::default(),
                hosts: AllowedHosts::default(),
            };
            tokio::spawn(run(listener, answers));
            let address = url.strip_prefix("http://").unwrap().to_owned();
            let asked = tokio::task::spawn_blocking(move || client(&address));
            asked.await.unwrap()
        })
    }

    fn get(address: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// More connections than any limit allows.
    const MANY: usize = 128;

    #[test]
    fn livez_responds_while_idle_connections_exceed_the_limit() {
        let text = ask(|address| {
            let mut silent: Vec<_> = (0..MANY)
                .map(|_| TcpStream::connect(address).unwrap())
                .collect();
            let text = get(address, "/livez");
            assert_eq!(silent[0].read(&mut [0]).unwrap(), 0);
            text
        });
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    }

    #[test]
    fn requests_beyond_the_limit_are_queued() {
        let answers = ask(|address| {
            let clients: Vec<_> = (0..MANY)
                .map(|_| {
                    let address = address.to_owned();
                    thread::spawn(move || get(&address, "/metrics"))
                })
                .collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .filter(|text| text.starts_with("HTTP/1.1 200 OK\r\n"))
                .count()
        });
        assert_eq!(answers, MANY);
    }
}
