//! A thread that serves the connections it is given.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::instances::Instances;
use super::listener::Accepted;
use super::{Settings, connection};
use crate::guest::App;

/// A handle on one worker thread.
///
/// Each worker has a runtime for itself, and a connection stays with one worker:
/// nothing in a request crosses threads, so nothing is locked or woken across
/// them.
pub(super) struct Worker {
    connections: mpsc::UnboundedSender<Accepted>,
    finished: oneshot::Receiver<()>,
}

/// What the requests of one worker share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    /// As many as may live on this worker. The pool has room for all of them, so
    /// it never runs out: requests wait instead.
    pub(super) instances: Rc<Instances>,
}

impl Worker {
    /// Starts a worker.
    pub(super) fn start(index: usize, app: Arc<App>, settings: Settings) -> io::Result<Self> {
        let (connections, incoming) = mpsc::unbounded_channel();
        let (finish, finished) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                let places = app.max_instances() as usize / settings.threads;
                let instances = Instances::new(app, places.max(1), settings.requests_per_instance);
                let shared = Rc::new(Shared {
                    settings,
                    instances: Rc::new(instances),
                });
                runtime.block_on(work(incoming, shared));
                drop(runtime);
                // Nobody waits for this any more if the server was dropped.
                let _ = finish.send(());
            })?;
        Ok(Self {
            connections,
            finished,
        })
    }

    /// Gives a connection to this worker.
    pub(super) fn serve(&self, accepted: Accepted) {
        // Fails only if the worker has died, which closes the connection.
        let _ = self.connections.send(accepted);
    }

    /// Takes no more connections, and resolves when those that are there have
    /// ended or the grace period is over.
    pub(super) fn finish(self) -> impl Future<Output = ()> {
        drop(self.connections);
        async {
            // An error means that the thread ended without a word: it is gone too.
            let _ = self.finished.await;
        }
    }
}

/// Serves connections until no more can come, then lets them end.
async fn work(mut incoming: mpsc::UnboundedReceiver<Accepted>, shared: Rc<Shared>) {
    let tasks = LocalSet::new();
    let graceful = GracefulShutdown::new();
    tasks
        .run_until(async {
            while let Some(accepted) = incoming.recv().await {
                let connection = connection::serve(accepted, shared.clone(), graceful.watcher());
                tokio::task::spawn_local(connection);
            }
        })
        .await;

    // The connections, and guests that still work after their response.
    let grace_period = shared.settings.grace_period;
    let ended = async { tokio::join!(graceful.shutdown(), tasks) };
    if timeout(grace_period, ended).await.is_err() {
        let seconds = grace_period.as_secs_f64();
        tracing::warn!("requests were cut off that had not finished after {seconds} s");
    }
}
