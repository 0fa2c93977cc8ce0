//! What those see who operate the server, on a listener of their own.
//!
//! - this file: [`run`], which answers.
//! - `answer.rs`: what.
//! - `hosts.rs`: [`AllowedHosts`], under which names; a web page cannot ask.
//! - `liveness.rs`: whether the threads that serve requests do their work.
//! - `places.rs`: how many connections there may be, so that health is answered.
//! - `readiness.rs`: whether the server wants requests.
//! - `admin/`: [`Admin`], over which functions are deployed.
//!
//! It runs on the thread that accepts connections, and not on those that serve them: it
//! answers however many requests these have at hand, and however long a guest computes.
//! Nothing on that thread waits for a disk or for a client. If it is held up all the
//! same, no connection is accepted either, and `/livez` does not answer.

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

/// How long a connection may take, from its begin to its end.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Time for the head of a request: there is no slow network on loopback.
const HEAD_TIME: Duration = Duration::from_secs(2);

/// How large the head of a request may be, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long to wait after an error that the next attempt would meet again.
const PAUSE: Duration = Duration::from_millis(50);

/// What operators are answered from.
pub struct AdminState {
    /// Whether the workers do their work.
    pub liveness: Liveness,
    /// Whether the server wants requests.
    pub readiness: Arc<Readiness>,
    /// All metrics.
    pub exporter: Exporter,
    /// What deploys functions, once that exists, for operators who have the token.
    pub admin: Arc<OnceLock<Admin>>,
    /// The names of the listener.
    pub hosts: AllowedHosts,
}

/// AdminState `GET /livez`, `/readyz` and `/metrics`, and what [`Admin`] answers, on `listener`
/// until this is dropped. An error of the listener does not end it.
///
/// It must be called within a runtime of tokio.
pub async fn run(listener: Listener, answers: AdminState) -> Infallible {
    let shared = Arc::new(Shared {
        answers,
        places: RequestLimiter::new(),
    });
    let silent = IdleConnections::default();
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                let silence = silent.next();
                let id = silence.id();
                let connection = Connection::new(shared.clone(), silence);
                let task = tokio::spawn(connection.serve(accepted));
                silent.add(id, task.abort_handle());
                is_failing = false;
            }
            Err(error) => {
                if !is_failing {
                    tracing::error!("operators cannot connect at the moment: {error}");
                }
                is_failing = true;
                sleep(PAUSE).await;
            }
        }
    }
}

/// What all connections share.
struct Shared {
    answers: AdminState,
    places: RequestLimiter,
}

/// One connection, for one request.
struct Connection {
    shared: Arc<Shared>,
    held: Mutex<Held>,
}

/// What a connection holds until it ends.
struct Held {
    /// Until the head of the request is there.
    silence: Option<IdleGuard>,
    place: Option<OwnedSemaphorePermit>,
    /// Time that it may take.
    time: Duration,
}

impl Connection {
    fn new(shared: Arc<Shared>, silence: IdleGuard) -> Arc<Self> {
        let held = Held {
            silence: Some(silence),
            place: None,
            time: MAX_TIME,
        };
        Arc::new(Self {
            shared,
            held: Mutex::new(held),
        })
    }

    async fn serve(self: Arc<Self>, accepted: Accepted) {
        let socket = match Socket::open(accepted).await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::debug!("connection of an operator lost: {error}");
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
            // A client that has sent all of its request may say so. Time limits end the rest.
            .half_close(true)
            .auto_date_header(false)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(socket), service);
        tokio::select! {
            ended = served => if let Err(error) = ended {
                tracing::debug!("connection of an operator ended early: {error}");
            },
            () = self.time_limit() => {
                tracing::debug!("connection of an operator took too long");
            }
        }
    }

    /// Resolves when the connection took as long as it may, which its request can change.
    async fn time_limit(&self) {
        let begin = Instant::now();
        loop {
            let end = begin + self.held().time;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.held().silence = None;
        let AdminState {
            liveness,
            readiness,
            exporter,
            admin,
            hosts,
        } = &self.shared.answers;
        let admin = admin.get().filter(|_| Admin::owns(&request));
        if let Err(foreign) = hosts.check(&request) {
            if let Some(admin) = admin {
                admin.deny(&request).await;
            }
            return problem(foreign.status, foreign.detail);
        }
        // Health is answered even when nothing else is.
        let is_for_health = matches!(request.uri().path(), "/livez" | "/readyz");
        let is_denied = admin.is_some_and(|admin| !admin.allows(&request));
        if !is_for_health && !is_denied {
            if let Some(admin) = admin {
                self.held().time = admin.max_time;
            }
            let place = self.shared.places.take().await;
            if place.is_none() {
                return problem(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait");
            }
            self.held().place = place;
        }
        match admin {
            Some(admin) => admin.answer(request).await,
            None => health::respond(&request, liveness, readiness, exporter).await,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Lets a client ask, on a thread of its own, while an operator's listener runs.
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

    /// More connections than there are places of any kind.
    const MANY: usize = 128;

    #[test]
    fn livez_is_answered_beside_more_silent_connections_than_there_may_be() {
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
    fn more_requests_than_are_answered_at_once_wait_for_their_turn() {
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
