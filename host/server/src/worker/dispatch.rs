//! Accepts connections and distributes them to the workers.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use telemetry::metrics::ConnectionError;
use telemetry::{Rejection, Telemetry};
use tokio::sync::watch;

use crate::transport::connections::Connections;
use crate::transport::listener::{Accepted, Listener};
use crate::worker::Worker;

/// Pause after an error that the next attempt would meet again.
const PAUSE: Duration = Duration::from_millis(50);

/// The workers, each of which gets its share of the connections.
pub(crate) struct Workers {
    pub(crate) all: Vec<Worker>,
    next: Cell<usize>,
    telemetry: Telemetry,
    connections: Connections,
    /// A file descriptor in reserve, for when the process has no others.
    spare: Cell<Option<File>>,
}

impl Workers {
    pub(crate) fn new(
        all: Vec<Worker>,
        connections: Connections,
        telemetry: Telemetry,
    ) -> Rc<Self> {
        Rc::new(Self {
            all,
            connections,
            next: Cell::new(0),
            telemetry,
            spare: Cell::new(spare()),
        })
    }

    fn serve(&self, accepted: Accepted) {
        let Some(slot) = self.connections.open() else {
            self.reject(accepted);
            return;
        };
        let next = self.next.get();
        self.next.set((next + 1) % self.all.len());
        self.all[next].serve(accepted, slot);
    }

    fn reject(&self, accepted: Accepted) {
        let rejection = Rejection::TooManyConnections;
        self.telemetry.record_rejection(rejection.reason());
        let (status, _) = rejection.response();
        self.telemetry.log_unparsed(status, accepted.peer(), "-");
        accepted.reject();
    }

    /// Accepts the first waiting connection and closes it: without a free file descriptor it would
    /// wait for ever, and block those behind it.
    async fn close_waiting(&self, listener: &Listener) {
        drop(self.spare.take());
        if let Some(Ok(accepted)) = waiting(listener) {
            drop(accepted);
        }
        self.spare.set(spare());
        tokio::time::sleep(PAUSE).await;
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Accepts on `listener` until `stopping` is set, and then the connections that already wait.
pub(crate) async fn accept(
    listener: Listener,
    workers: Rc<Workers>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let stop = pin!(stopping.wait_for(|stop| *stop));
        tokio::select! {
            // Fails if the server is gone.
            _ = stop => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => workers.serve(accepted),
                Err(error) => recover(&error, &listener, &workers).await,
            },
        }
    }
    // These clients are connected already.
    while let Some(Ok(accepted)) = waiting(&listener) {
        workers.serve(accepted);
    }
}

/// A connection that waits to be accepted.
fn waiting(listener: &Listener) -> Option<io::Result<Accepted>> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(listener.accept()).poll(&mut context) {
        Poll::Ready(accepted) => Some(accepted),
        Poll::Pending => None,
    }
}

/// Continues after a failed `accept`. A connection that broke before it was accepted needs nothing,
/// but without free file descriptors the next attempt would fail at once, and again.
async fn recover(error: &io::Error, listener: &Listener, workers: &Workers) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {}
        _ => {
            tracing::error!("cannot accept connections at the moment: {error}");
            let metrics = &workers.telemetry.metrics;
            metrics.record_connection_error(ConnectionError::Accept);
            workers.close_waiting(listener).await;
        }
    }
}
