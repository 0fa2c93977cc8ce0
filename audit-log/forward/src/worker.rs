//! The forwarding thread and its retries.

use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::Target;
use crate::connection::Failure;
use crate::nats::Nats;
use crate::otlp::Otlp;
use crate::outbox::Outbox;
use crate::stop::Stop;

/// The delay after the system had no file descriptors for a runtime.
const RUNTIME_RETRY_DELAY: Duration = Duration::from_secs(5);

pub(crate) struct Worker {
    outbox: Outbox,
    sink: Sink,
    /// The displayed target.
    target: String,
    stop: Stop,
}

/// The protocol of the target.
pub(crate) enum Sink {
    Nats(Nats),
    Otlp(Otlp),
}

impl Sink {
    pub(crate) fn new(target: &Target, node: String) -> Self {
        match target {
            Target::Nats(target) => Self::Nats(Nats::new(target, node)),
            Target::Otlp(target) => Self::Otlp(Otlp::new(target, node)),
        }
    }
}

impl Worker {
    pub(crate) fn new(
        outbox: Outbox,
        sink: Sink,
        target: &Target,
        stop: watch::Receiver<Option<Instant>>,
    ) -> Self {
        Self {
            outbox,
            sink,
            target: target.to_string(),
            stop: Stop::new(stop),
        }
    }

    /// Forwards records until it is stopped.
    pub(crate) fn run(mut self) {
        priority::add_niceness(priority::BACKGROUND);
        let mut delay = Duration::ZERO;
        let mut attempt = 0;
        while let Err(failure) = self.connect_and_send(delay) {
            self.outbox.save();
            if self.outbox.status.failed() {
                attempt = 0;
                tracing::warn!(
                    "cannot forward the audit log to `{}`: {}; {} records wait, and are retried \
                     until they have arrived",
                    self.target,
                    failure.reason,
                    self.outbox.written().saturating_sub(self.outbox.settled()),
                );
            } else {
                tracing::debug!(
                    "still cannot forward the audit log to `{}`: {}",
                    self.target,
                    failure.reason
                );
            }
            delay = failure.retry_delay(attempt);
            attempt += 1;
        }
        self.outbox.save();
    }

    /// Connects after `delay`, and sends until the connection is lost. Returns `Ok` when
    /// stopping.
    ///
    /// Each connection has its own runtime, so that no task of one survives into the next.
    fn connect_and_send(&mut self, delay: Duration) -> Result<(), Failure> {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            // No file descriptors are available.
            Err(_) if self.stop.is_requested() => return Ok(()),
            Err(error) => {
                thread::sleep(RUNTIME_RETRY_DELAY);
                return Err(error.into());
            }
        };
        let mut stop = self.stop.clone();
        let work = async {
            sleep(delay).await;
            match &mut self.sink {
                Sink::Nats(nats) => nats.send(&mut self.outbox, &mut self.stop).await,
                Sink::Otlp(otlp) => otlp.send(&mut self.outbox, &mut self.stop).await,
            }
        };
        let result = runtime.block_on(async {
            tokio::select! {
                result = work => result,
                () = stop.deadline_reached() => Ok(()),
            }
        });
        // Does not even wait for a name resolution.
        runtime.shutdown_background();
        result
    }
}
