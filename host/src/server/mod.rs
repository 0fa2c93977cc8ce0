//! From the listener to the last byte of the response.
//!
//! - this file: [`run`], which accepts connections and hands each to a worker.
//! - `worker.rs`: a thread with its own runtime; a connection stays on it.
//! - `connection.rs`: HTTP/1.1 on one connection, with hyper.
//! - `turn.rs`: why the answers of several connections leave together.
//! - `request.rs`: one request, in its instance.
//! - `failure.rs`: what happens when a guest fails.
//! - `instances.rs`: the instances of one worker.
//! - `body.rs`: the bodies that go in and out of the instance.
//! - `problem.rs`: what the server answers where no guest does.
//! - `ticker.rs`: the clock that makes long computations give way.

mod body;
mod connection;
mod failure;
mod instances;
mod problem;
mod request;
mod ticker;
mod turn;
mod worker;

use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderName;
use tokio::net::TcpListener;

use crate::guest::App;
use ticker::Ticker;
use worker::Worker;

/// How the server works, apart from what it serves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many threads serve requests.
    pub threads: NonZeroUsize,
    /// How long a guest may take until the head of its response is there.
    pub request_timeout: Duration,
    /// How long running requests may take to finish after the shutdown began.
    pub grace_period: Duration,
    /// How many requests one instance serves, one after the other. Only with 1
    /// are they isolated from each other.
    pub requests_per_instance: NonZeroU32,
    /// The header in which whoever stands in front of the server names the user
    /// that it has authenticated.
    pub principal_header: Option<HeaderName>,
}

/// Serves `app` on `listener` until `shutdown` resolves; then stops accepting,
/// lets running requests finish within the grace period, and returns.
///
/// It neither binds nor handles signals. It must be called within a tokio
/// runtime, on which it only accepts: requests run on threads of its own.
///
/// # Errors
///
/// Fails if the system gives no threads.
pub async fn run(
    listener: TcpListener,
    app: App,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let app = Arc::new(app);
    let _ticker = Ticker::start(app.engine())?;
    let workers = (0..settings.threads.get())
        .map(|index| Worker::start(index, app.clone(), settings.clone()))
        .collect::<io::Result<Vec<_>>>()?;

    let mut shutdown = pin!(shutdown);
    let mut next_worker = (0..workers.len()).cycle();
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                // Connections take turns, so every thread gets its share.
                Ok((stream, peer)) => {
                    let worker = next_worker.next().unwrap_or_default();
                    workers[worker].serve(stream, peer);
                }
                Err(error) => pause_after(&error).await,
            },
        }
    }
    drop(listener);
    tracing::info!("no new connections; waiting for running requests");

    // All are told to finish before the first is waited for. Each keeps to the
    // grace period by itself; the limit here is for one whose thread is stuck,
    // such as in writing to a standard error that nobody reads.
    let finishing: Vec<_> = workers.into_iter().map(Worker::finish).collect();
    let all_finished = async {
        for finished in finishing {
            finished.await;
        }
    };
    let limit = settings.grace_period.saturating_add(Duration::from_secs(1));
    let _ = tokio::time::timeout(limit, all_finished).await;
    Ok(())
}

/// Waits after a failed `accept`. A connection that broke before it was accepted
/// needs no pause, but where file descriptors have run out, the next attempt
/// would fail at once, and again.
async fn pause_after(error: &io::Error) {
    let peer_left = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !peer_left {
        tracing::error!("cannot accept connections at the moment: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
