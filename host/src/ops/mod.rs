//! What those see who operate the server, on a listener of their own.
//!
//! - this file: [`run`], which answers.
//! - `answer.rs`: what.
//! - `liveness.rs`: whether the threads that serve requests do their work.
//! - `readiness.rs`: whether the server wants requests.
//! - `admin/`: [`Admin`], over which functions are deployed.
//!
//! It runs on the thread that accepts connections, and not on those that serve them: it
//! answers however many requests these have at hand, and however long a guest computes.
//! Nothing on that thread waits for a disk or for a client. If it is held up all the
//! same, no connection is accepted either, and `/livez` does not answer.

mod admin;
mod answer;
mod liveness;
mod readiness;

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::metrics::Exporter;
use crate::server::{Accepted, Listener, Socket};
pub use admin::{Admin, Token, TokenError};
pub use liveness::Liveness;
pub use readiness::Readiness;

/// How many connections are served at once. Others wait.
const MAX_CONNECTIONS: usize = 64;

/// How long a connection may take, from its begin to its end.
const MAX_TIME: Duration = Duration::from_secs(10);

/// How large the head of a request may be, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long to wait after an error that the next attempt would meet again.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers `GET /livez`, `/readyz` and `/metrics` on `listener` until this is dropped.
/// An error of the listener does not end it.
///
/// It must be called within a runtime of tokio.
///
/// Who has the token of `admin`, once that is there, may deploy functions.
pub async fn run(
    listener: Listener,
    liveness: Liveness,
    readiness: Arc<Readiness>,
    exporter: Exporter,
    admin: Arc<OnceLock<Admin>>,
) -> Infallible {
    let exporter = Arc::new(exporter);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut is_failing = false;
    loop {
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok(accepted) => {
                let limit = admin.get().map_or(MAX_TIME, |admin| admin.max_time);
                let connection = serve(
                    accepted,
                    liveness.clone(),
                    readiness.clone(),
                    exporter.clone(),
                    admin.clone(),
                );
                tokio::spawn(async move {
                    if timeout(limit, connection).await.is_err() {
                        tracing::debug!("connection of an operator took too long");
                    }
                    drop(place);
                });
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

async fn serve(
    accepted: Accepted,
    liveness: Liveness,
    readiness: Arc<Readiness>,
    exporter: Arc<Exporter>,
    admin: Arc<OnceLock<Admin>>,
) {
    let socket = match Socket::open(accepted).await {
        Ok((socket, _)) => socket,
        Err(error) => {
            tracing::debug!("connection of an operator lost: {error}");
            return;
        }
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let (readiness, exporter, admin) = (readiness.clone(), exporter.clone(), admin.clone());
        let liveness = liveness.clone();
        async move {
            let response = match admin.get() {
                Some(admin) if Admin::owns(&request) => admin.answer(request).await,
                _ => answer::to(&request, &liveness, &readiness, &exporter).await,
            };
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(MAX_TIME)
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!("connection of an operator ended early: {error}");
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
    use crate::metrics::{Metrics, Sources};
    use crate::server::Address;

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
            tokio::spawn(run(
                listener,
                Liveness::new(Arc::default()),
                Readiness::new(None),
                exporter,
                Arc::default(),
            ));
            let address = url.strip_prefix("http://").unwrap().to_owned();
            let asked = tokio::task::spawn_blocking(move || client(&address));
            asked.await.unwrap()
        })
    }

    fn get(address: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_client_that_says_nothing_keeps_nobody_else_from_an_answer() {
        let text = ask(|address| {
            let silent: Vec<_> = (0..MAX_CONNECTIONS / 2)
                .map(|_| TcpStream::connect(address).unwrap())
                .collect();
            let text = get(address, "/livez");
            drop(silent);
            text
        });
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    }

    #[test]
    fn more_clients_than_there_are_places_get_their_turn() {
        let answers = ask(|address| {
            let clients: Vec<_> = (0..2 * MAX_CONNECTIONS)
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
        assert_eq!(answers, 2 * MAX_CONNECTIONS);
    }
}
