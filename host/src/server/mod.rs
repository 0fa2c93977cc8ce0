//! From the listener to the last byte of the response.
//!
//! - this file: [`run`], from the first connection to the last.
//! - `listener.rs`, `accept.rs`, `connections.rs`: where connections come from, who gets
//!   them, and how many there may be.
//! - `worker.rs`: a thread with its own runtime; a connection stays on it. `heartbeat.rs`:
//!   whether its event loop still runs.
//! - `socket.rs`, `connection.rs`: one connection, of HTTP/1.1 with hyper or of HTTP/2 with `h2`.
//! - `http1/`, `http2/`, `authority.rs`: what has to be right before anybody sees it.
//! - `conversation.rs`: what the parts of a connection tell each other.
//! - `turn.rs`: why the answers of several connections leave together.
//! - `request.rs`, `incoming.rs`, `request_body.rs`: one request, and what is refused of it
//!   (`refusal.rs`); `pieces.rs` is for bodies that have begun.
//! - `served.rs`: which function it is for, as one worker serves it.
//! - `admission.rs`, `commons.rs`: who begins, who waits, and who is turned away.
//! - `instances.rs`: the instances of one worker.
//! - `running.rs`: a guest at work.
//! - `offload.rs`, `fair_queue.rs`, `cpu_history.rs`: the threads for CPU-bound guests, the
//!   order in which these run, and which guests begin there.
//! - `response.rs`, `response_stream.rs`, `follow.rs`: what it answers, before and after the
//!   head is sent, and what it does after that.
//! - `date.rs`: the field `date` of responses.
//! - `failure.rs`: what happens when a guest fails.
//! - `problem.rs`: what the server answers where no guest does.
//! - `ticker.rs`: the clock that ends the time slices of guests.
//! - `settings.rs`: how all of this works, and its limits.

mod accept;
mod admission;
mod authority;
mod commons;
mod connection;
mod connections;
mod conversation;
mod cpu_history;
mod crowding;
mod date;
mod failure;
mod fair_queue;
mod follow;
mod heartbeat;
mod http1;
mod http2;
mod incoming;
mod instances;
mod listener;
mod offload;
mod pace;
mod pieces;
mod problem;
mod refusal;
mod request;
mod request_body;
mod response;
mod response_stream;
mod running;
mod served;
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

use crate::functions::Functions;
use crate::memory::MemoryLimit;
use crate::telemetry::Telemetry;
use accept::{Workers, accept};
use connections::Connections;
pub use connections::{TooFewFiles, check_open_files};
use crowding::Crowding;
pub(crate) use date::now as date;
pub use heartbeat::Heartbeats;
pub(crate) use listener::Accepted;
pub use listener::{Address, Listener};
use offload::OffloadRuntime;
pub use refusal::Refusal;
pub use settings::{BodyLimits, ConnectionLimits, FunctionSettings, Settings};
pub(crate) use socket::Socket;
pub(crate) use ticker::{EpochInterval, Ticker};
use worker::{Common, Worker};

/// Serves `functions` on `listeners` until `shutdown` resolves; then stops accepting,
/// lets running requests finish within the grace period, and returns. Guests have what
/// `memory` allows. What happens meanwhile goes to `telemetry`.
///
/// It neither binds nor handles signals. It must be called within a tokio
/// runtime, on which it only accepts: requests run on threads of its own.
///
/// # Errors
///
/// Fails if the system gives no threads.
///
/// # Panics
///
/// Panics if the runtime is shut down while it accepts.
pub async fn run(
    listeners: Vec<Listener>,
    functions: Arc<Functions>,
    settings: Settings,
    memory: Arc<MemoryLimit>,
    telemetry: &Telemetry,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    functions.start_epoch_ticker()?;
    let crowding = Arc::<Crowding>::default();
    let interval = functions.epoch_interval();
    let offload = OffloadRuntime::start(settings.threads, interval, crowding.clone())?;
    let common = Common {
        telemetry: telemetry.clone(),
        unrouted: telemetry.unrouted(),
        functions,
        settings: settings.clone(),
        offload: offload.handle(),
        crowding,
        memory,
    };
    let workers = (0..settings.threads.get())
        .map(|index| Worker::start(index, common.clone()))
        .collect::<io::Result<Vec<_>>>()?;
    let heartbeats = workers.iter().map(|worker| worker.heartbeat.clone());
    telemetry.workers.watch(heartbeats.collect());
    let connections = Connections::new(settings.connections.max_connections, settings.threads);
    let workers = Workers::new(workers, connections, telemetry.clone());

    let (stop, stopping) = watch::channel(false);
    let accepting = LocalSet::new();
    for listener in listeners {
        accepting.spawn_local(accept(listener, workers.clone(), stopping.clone()));
    }
    accepting.run_until(shutdown).await;
    telemetry.workers.drain();
    stop.send_replace(true);
    accepting.await;
    tracing::info!("no new connections; waiting for running requests");

    // All are told to finish before the first is waited for. Each keeps to the
    // grace period by itself; the limit here is for one whose thread is stuck.
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
