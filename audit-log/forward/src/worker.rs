//! The thread that sends, again and again if it must.

use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Target;
use crate::nats::Nats;
use crate::otlp::Otlp;
use crate::outbox::Outbox;
use crate::remote::Failure;

/// How long to wait where the system does not let it work.
const PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Worker {
    outbox: Outbox,
    sink: Sink,
    /// What the target is called in messages.
    shown: String,
    stop: Stop,
}

/// What speaks to the target.
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

/// Tells when to stop.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<Option<Instant>>);

impl Stop {
    /// Whether the rest is to be sent, and no more.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    /// Waits until [`Stop::is_asked`].
    pub(crate) async fn asked(&mut self) {
        // An error says that nobody waits any more.
        let _ = self.0.wait_for(Option::is_some).await;
    }

    /// Waits until the time is over.
    async fn over(&mut self) {
        let deadline = match self.0.wait_for(Option::is_some).await {
            Ok(deadline) => *deadline,
            Err(_) => None,
        };
        if let Some(deadline) = deadline {
            tokio::select! {
                () = sleep_until(deadline) => {}
                // Whoever waited has gone.
                _ = self.0.wait_for(Option::is_none) => {}
            }
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
            shown: target.to_string(),
            stop: Stop(stop),
        }
    }

    /// Works until it is stopped.
    pub(crate) fn work(mut self) {
        priority::add_niceness(priority::BACKGROUND);
        let mut pause = Duration::ZERO;
        let mut attempt = 0;
        while let Err(failure) = self.connection(pause) {
            self.outbox.save();
            if self.outbox.status.failed() {
                attempt = 0;
                tracing::warn!(
                    "cannot forward the audit log to `{}`: {}; {} records wait, and it is tried \
                     again until they have arrived",
                    self.shown,
                    failure.why,
                    self.outbox.written().saturating_sub(self.outbox.settled()),
                );
            } else {
                tracing::debug!(
                    "still cannot forward the audit log to `{}`: {}",
                    self.shown,
                    failure.why
                );
            }
            pause = failure.pause(attempt);
            attempt += 1;
        }
        self.outbox.save();
    }

    /// Connects after a pause, and sends until the connection is lost. Returns `Ok` when it
    /// is time to stop.
    ///
    /// Each connection has a runtime of its own, so that nothing of one lives on when the
    /// next begins.
    fn connection(&mut self, pause: Duration) -> Result<(), Failure> {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            // The system gives no file descriptors.
            Err(_) if self.stop.is_asked() => return Ok(()),
            Err(error) => {
                thread::sleep(PAUSE);
                return Err(error.into());
            }
        };
        let mut stop = self.stop.clone();
        let work = async {
            sleep(pause).await;
            match &mut self.sink {
                Sink::Nats(nats) => nats.send(&mut self.outbox, &mut self.stop).await,
                Sink::Otlp(otlp) => otlp.send(&mut self.outbox, &mut self.stop).await,
            }
        };
        let result = runtime.block_on(async {
            tokio::select! {
                result = work => result,
                () = stop.over() => Ok(()),
            }
        });
        // Not even a look-up of a name is waited for.
        runtime.shutdown_background();
        result
    }
}

/// Says that all goes well again, if it did not.
pub(crate) fn works(outbox: &Outbox) {
    if outbox.status.works() {
        tracing::info!(
            "the audit log is forwarded again; {} records wait",
            outbox.written().saturating_sub(outbox.settled())
        );
    }
}
