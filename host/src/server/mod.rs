//! From the listener to the last byte of the response.
//!
//! - this file: [`run`], from the first connection to the last.
//! - `accept.rs`: hands each connection to a worker.
//! - `listener.rs`: where connections come from: TCP, TLS, or the file system.
//! - `worker.rs`: a thread with its own runtime; a connection stays on it.
//! - `socket.rs`: a connection, whatever it is made of.
//! - `connection.rs`: HTTP/1.1 on one connection, with hyper.
//! - `turn.rs`: why the answers of several connections leave together.
//! - `request.rs`: one request, in its instance.
//! - `failure.rs`: what happens when a guest fails.
//! - `instances.rs`: the instances of one worker.
//! - `body.rs`: the bodies that go in and out of the instance.
//! - `settings.rs`: how all of this works, and its limits.
//! - `problem.rs`: what the server answers where no guest does.
//! - `ticker.rs`: the clock that makes long computations give way.

mod accept;
mod body;
mod connection;
mod failure;
mod instances;
mod listener;
mod problem;
mod request;
mod settings;
mod socket;
mod ticker;
mod turn;
mod worker;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::guest::App;
use accept::{Workers, accept};
pub use listener::{Address, Listener};
pub use settings::{Admission, BodyLimits, ConnectionLimits, Settings};
pub(crate) use socket::Socket;
use ticker::Ticker;
use worker::Worker;

/// Serves `app` on `listeners` until `shutdown` resolves; then stops accepting,
/// lets running requests finish within the grace period, and returns.
///
/// It neither binds nor handles signals. It must be called within a tokio
/// runtime, on which it only accepts: requests run on threads of its own.
///
/// # Errors
///
/// Fails if the system gives no threads.
pub async fn run(
    listeners: Vec<Listener>,
    app: App,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let app = Arc::new(app);
    let _ticker = Ticker::start(app.engine())?;
    let workers = (0..settings.threads.get())
        .map(|index| Worker::start(index, app.clone(), settings.clone()))
        .collect::<io::Result<Vec<_>>>()?;
    let workers = Workers::new(workers);

    let (stop, stopping) = watch::channel(false);
    let accepting = LocalSet::new();
    for listener in listeners {
        accepting.spawn_local(accept(listener, workers.clone(), stopping.clone()));
    }
    accepting.run_until(shutdown).await;
    stop.send_replace(true);
    accepting.await;
    tracing::info!("no new connections; waiting for running requests");

    // All are told to finish before the first is waited for. Each keeps to the
    // grace period by itself; the limit here is for one whose thread is stuck,
    // such as in writing to a standard error that nobody reads.
    let workers = Rc::into_inner(workers).expect("nobody accepts any more");
    let finishing: Vec<_> = workers.all.into_iter().map(Worker::finish).collect();
    let all_finished = async {
        for finished in finishing {
            finished.await;
        }
    };
    let limit = settings.grace_period.saturating_add(Duration::from_secs(1));
    let _ = tokio::time::timeout(limit, all_finished).await;
    Ok(())
}
