//! A `wasi:http` server: from the listener to the last byte of the response.
//!
//! - [`run`] (this file): the life of a server, from its threads to its drain.
//! - `worker/`: threads with a runtime each, to which accepted connections are distributed.
//! - `connection/`: one connection, from the choice of its protocol to its end.
//! - `http1/`: the strict stream before hyper; `http2/`: HTTP/2 on `h2`; `serving.rs`: what both have
//!   in common.
//! - `handler/`: one request: router, body, response, errors of guests.
//! - `scheduling/`: admission, instances, and the threads for CPU-bound guests.
//! - `connection_state.rs`: the state of one connection that its parts share.
//! - `transport/`: listeners, sockets, TLS, and the limit of connections.
//! - `settings.rs`: [`Settings`] and the limits of connections and bodies.

mod connection;
mod connection_state;
mod handler;
mod http1;
mod http2;
mod scheduling;
mod serving;
mod settings;
mod transport;
mod worker;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use functions::Functions;
use memory_limit::MemoryLimit;
use telemetry::Telemetry;
use tokio::sync::watch;
use tokio::task::LocalSet;

use handler::context::ServerContext;
use scheduling::crowding::Crowding;
use scheduling::offload::OffloadRuntime;
use transport::connections::Connections;
use worker::Worker;
use worker::dispatch::{Workers, accept};

pub use handler::date::now as date;
pub use settings::{BodyLimits, ConnectionLimits, Settings};
pub use transport::connections::{TooFewFiles, check_open_files};
pub use transport::listener::{Accepted, Address, Listener};
pub use transport::socket::Socket;
pub use transport::tls;

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
    let common = ServerContext {
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
    let workers = Rc::into_inner(workers).expect("the accept loops have ended");
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
