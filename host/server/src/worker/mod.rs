//! A worker: a thread that serves the connections that it is given.
//!
//! - `dispatch.rs`: accepts connections and distributes them to the workers.

pub(crate) mod dispatch;

use std::rc::Rc;
use std::sync::Arc;
use std::{io, thread};

use telemetry::Heartbeat;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{LocalSet, yield_now};
use tokio::time::timeout;

use crate::connection;
use crate::handler::context::{ServerContext, WorkerContext};
use crate::scheduling::pace::EventLoop;
use crate::transport::connections::Slot;
use crate::transport::listener::Accepted;

/// Number of connections that start, one after the other, before the event loop polls for new
/// events: requests on open connections wait meanwhile.
const MAX_STARTED_CONNECTIONS: u64 = 8;

/// A handle on one worker.
///
/// Each worker has its own runtime, and a connection stays with its worker: nothing in a request
/// crosses threads, so nothing is locked or woken across them.
pub(crate) struct Worker {
    connections: mpsc::UnboundedSender<(Accepted, Slot)>,
    finished: oneshot::Receiver<()>,
    /// Liveness of its event loop.
    pub(crate) heartbeat: Arc<Heartbeat>,
}

impl Worker {
    /// Starts a worker.
    pub(crate) fn start(index: usize, common: ServerContext) -> io::Result<Self> {
        let (connections, incoming) = mpsc::unbounded_channel();
        let (finish, finished) = oneshot::channel();
        let (heartbeat, pulse) = Heartbeat::new();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                // A task of the runtime: it replies until the last connection has ended.
                runtime.spawn(pulse.reply());
                let event_loop = EventLoop::new(common.crowding.clone());
                let shared = WorkerContext::new(index, common, &event_loop);
                runtime.block_on(work(incoming, shared, &event_loop));
                drop(runtime);
                // Fails if the server was dropped.
                let _ = finish.send(());
            })?;
        Ok(Self {
            connections,
            finished,
            heartbeat,
        })
    }

    /// Passes a connection to this worker.
    pub(crate) fn serve(&self, accepted: Accepted, slot: Slot) {
        // Fails only if the worker has died, which closes the connection.
        let _ = self.connections.send((accepted, slot));
    }

    /// Accepts no more connections, and resolves when the open ones have ended or the grace period
    /// is over.
    pub(crate) fn finish(self) -> impl Future<Output = ()> {
        drop(self.connections);
        async {
            // An error means that the thread panicked: it is gone too.
            let _ = self.finished.await;
        }
    }
}

/// Serves connections until no more can arrive, then lets them end.
async fn work(
    mut incoming: mpsc::UnboundedReceiver<(Accepted, Slot)>,
    shared: Rc<WorkerContext>,
    event_loop: &EventLoop,
) {
    let tasks = LocalSet::new();
    let (end, ending) = watch::channel(false);
    let router = shared.clone();
    let following = tasks.spawn_local(async move { router.router.follow().await });
    let router = shared.clone();
    let giving_back = tasks.spawn_local(async move { router.router.release_memory().await });
    let accepting = async {
        let mut begun = 0_u64;
        while let Some((accepted, slot)) = incoming.recv().await {
            let connection = connection::serve(accepted, shared.clone(), ending.clone());
            tokio::task::spawn_local(async move {
                connection.await;
                drop(slot);
            });
            begun += 1;
            if begun.is_multiple_of(MAX_STARTED_CONNECTIONS) && !incoming.is_empty() {
                event_loop.crowding.note();
                yield_now().await;
            }
        }
    };
    tasks.run_until(event_loop.run(accepting)).await;

    // The connections, and guests that continue after their response.
    following.abort();
    giving_back.abort();
    end.send_replace(true);
    let grace_period = shared.settings.grace_period;
    if timeout(grace_period, tasks).await.is_err() {
        let seconds = grace_period.as_secs_f64();
        tracing::warn!("requests were cut off that had not finished after {seconds} s");
    }
}
