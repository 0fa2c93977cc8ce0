//! The threads that send, again and again if they must.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Target;
use super::nats::Nats;
use super::otlp::Otlp;
use super::outbox::Outbox;
use crate::remote::Failure;

/// How long to wait where the system does not let it work.
const PAUSE: Duration = Duration::from_secs(5);

/// How often it is looked how many records wait, and how many are too many.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const MAX_WAITING: u64 = 1000;

/// After so many checks with too many that wait, more time is taken for them; and after so
/// many without, less.
const CHECKS_BEHIND: u32 = 5;
const CHECKS_AHEAD: u32 = 60;

pub(super) struct Worker {
    outbox: Outbox,
    sink: Sink,
    /// What the target is called in messages.
    shown: String,
    stop: Stop,
}

/// What speaks to the target.
pub(super) enum Sink {
    Nats(Nats),
    Otlp(Otlp),
}

impl Sink {
    pub(super) fn new(target: &Target, node: String) -> Self {
        match target {
            Target::Nats(target) => Self::Nats(Nats::new(target, node)),
            Target::Otlp(target) => Self::Otlp(Otlp::new(target, node)),
        }
    }
}

/// Tells when to stop.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<Option<Instant>>);

impl Stop {
    /// Whether the rest is to be sent, and no more.
    pub(super) fn is_asked(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    /// Waits until [`Stop::is_asked`].
    pub(super) async fn asked(&mut self) {
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
    pub(super) fn new(
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
    pub(super) fn work(mut self) {
        let mut pause = Duration::ZERO;
        let mut attempt = 0;
        let mut takes = Takes::WhatIsLeft;
        loop {
            let ended = self.connection(pause, takes);
            self.outbox.save();
            let failure = match ended {
                Ok(Ended::Stopped) => break,
                Ok(Ended::Changed) => {
                    takes = takes.other();
                    tracing::debug!("the audit log is forwarded by a thread that takes {takes:?}");
                    pause = Duration::ZERO;
                    continue;
                }
                Err(failure) => failure,
            };
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
    }

    /// Connects after a pause, and sends until the connection is lost.
    ///
    /// Each connection has a thread and a runtime of its own, so that nothing of one lives
    /// on when the next begins.
    fn connection(&mut self, pause: Duration, takes: Takes) -> Result<Ended, Failure> {
        let stop = self.stop.clone();
        let ended: io::Result<_> = thread::scope(|scope| {
            let thread = thread::Builder::new().name("audit-forward".to_owned());
            let thread = thread.spawn_scoped(scope, || {
                takes.begin();
                let runtime = Builder::new_current_thread().enable_all().build()?;
                Ok(self.connection_on(runtime, pause, takes))
            })?;
            thread.join().expect("sending does not panic")
        });
        match ended {
            Ok(ended) => ended,
            // The system gives no thread, or no file descriptors.
            Err(_) if stop.is_asked() => Ok(Ended::Stopped),
            Err(error) => {
                thread::sleep(PAUSE);
                Err(error.into())
            }
        }
    }

    fn connection_on(
        &mut self,
        runtime: Runtime,
        pause: Duration,
        takes: Takes,
    ) -> Result<Ended, Failure> {
        let mut stop = self.stop.clone();
        let waiting = self.outbox.waiting();
        let work = async {
            sleep(pause).await;
            let sent = async {
                match &mut self.sink {
                    Sink::Nats(nats) => nats.send(&mut self.outbox, &mut self.stop).await,
                    Sink::Otlp(otlp) => otlp.send(&mut self.outbox, &mut self.stop).await,
                }
            };
            tokio::select! {
                result = sent => result.map(|()| Ended::Stopped),
                () = takes.until_wrong(waiting, CHECK_INTERVAL) => Ok(Ended::Changed),
            }
        };
        let result = runtime.block_on(async {
            tokio::select! {
                result = work => result,
                () = stop.over() => Ok(Ended::Stopped),
            }
        });
        // Not even a look-up of a name is waited for.
        runtime.shutdown_background();
        result
    }
}

/// Why a connection is over, without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It is time to stop.
    Stopped,
    /// Its thread takes too little of the processors, or more than it needs.
    Changed,
}

/// What a thread takes of the processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// What nobody else wants, so that no request waits for it.
    WhatIsLeft,
    /// A tenth of what others get, because what is left was too little.
    ATenth,
}

impl Takes {
    fn begin(self) {
        match self {
            Self::WhatIsLeft => priority::take_what_is_left(),
            Self::ATenth => priority::take_a_tenth(),
        }
    }

    fn other(self) -> Self {
        match self {
            Self::WhatIsLeft => Self::ATenth,
            Self::ATenth => Self::WhatIsLeft,
        }
    }

    /// Looks again and again how many records are `waiting`, until the other one is better.
    async fn until_wrong(self, waiting: impl Fn() -> u64, interval: Duration) {
        let checks = match self {
            Self::WhatIsLeft => CHECKS_BEHIND,
            Self::ATenth => CHECKS_AHEAD,
        };
        let mut wrong = 0;
        while wrong < checks {
            sleep(interval).await;
            let is_behind = waiting() > MAX_WAITING;
            let is_wrong = is_behind == (self == Self::WhatIsLeft);
            wrong = if is_wrong { wrong + 1 } else { 0 };
        }
    }
}

/// Says that all goes well again, if it did not.
pub(super) fn works(outbox: &Outbox) {
    if outbox.status.works() {
        tracing::info!(
            "the audit log is forwarded again; {} records wait",
            outbox.written().saturating_sub(outbox.settled())
        );
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const INTERVAL: Duration = Duration::from_micros(10);

    /// How many checks it takes until the other one is better.
    fn checks(takes: Takes, waiting: impl Fn(u32) -> u64) -> u32 {
        let count = Cell::new(0);
        let waiting = || {
            count.set(count.get() + 1);
            waiting(count.get())
        };
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(takes.until_wrong(waiting, INTERVAL));
        count.get()
    }

    #[test]
    fn one_that_is_behind_for_long_takes_more() {
        assert_eq!(checks(Takes::WhatIsLeft, |_| MAX_WAITING + 1), 5);
        // A peak in between is none.
        let peak = |check| if check == 4 { 0 } else { MAX_WAITING + 1 };
        assert_eq!(checks(Takes::WhatIsLeft, peak), 9);
    }

    #[test]
    fn one_that_is_ahead_for_long_takes_what_is_left() {
        assert_eq!(checks(Takes::ATenth, |_| MAX_WAITING), 60);
        let peak = |check| if check == 60 { MAX_WAITING + 1 } else { 0 };
        assert_eq!(checks(Takes::ATenth, peak), 120);
        assert_eq!(Takes::ATenth.other().other(), Takes::ATenth);
    }
}
