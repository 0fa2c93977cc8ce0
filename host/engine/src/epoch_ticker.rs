//! Epoch ticker: the thread that ends the time slices of guests.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{io, thread};

use wasmtime::EngineWeak;

use crate::SharedRuntime;

/// Time slice of a guest on a worker.
const LONG: Duration = Duration::from_millis(5);

/// Time slice while guests run on offload threads, whose processor a worker may wait for.
const SHORT: Duration = Duration::from_micros(250);

/// Increments the epochs of engines until it is dropped.
///
/// It is a thread of its own, because a CPU-bound guest blocks the thread of its worker, and with
/// it all timers of the worker's runtime.
pub struct EpochTicker {
    _stop: mpsc::Sender<()>,
}

impl EpochTicker {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Fails if the thread cannot be started.
    pub fn start(engines: Engines, interval: Arc<EpochInterval>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                // Dropping the ticker closes the channel, which ends the wait.
                while stopped.recv_timeout(interval.next()) == Err(RecvTimeoutError::Timeout) {
                    if !engines.tick() {
                        break;
                    }
                }
            })?;
        Ok(Self { _stop: stop })
    }
}

/// The interval between two ticks.
#[derive(Debug, Default)]
pub struct EpochInterval {
    /// Number of short intervals left.
    short: AtomicU32,
}

/// Number of short intervals after the last time slice on an offload thread. A CPU-bound guest
/// starts a slice after each tick, which may be late.
const SHORT_INTERVALS: u32 = 20;

impl EpochInterval {
    /// Makes the next intervals short.
    pub fn shorten(&self) {
        self.short.store(SHORT_INTERVALS, Ordering::Relaxed);
    }

    /// Time until the next tick.
    fn next(&self) -> Duration {
        match self.short.load(Ordering::Relaxed) {
            0 => LONG,
            left => {
                self.short.store(left - 1, Ordering::Relaxed);
                SHORT
            }
        }
    }
}

/// The engines of a ticker.
pub enum Engines {
    /// One engine per worker, of a single component.
    Own(Vec<EngineWeak>),
    /// The engines of a shared runtime.
    Shared(Weak<SharedRuntime>),
}

impl Engines {
    /// Increments the epochs of all engines. Returns false when they are dropped.
    pub(crate) fn tick(&self) -> bool {
        match self {
            Self::Own(engines) => engines.iter().all(tick),
            Self::Shared(runtime) => runtime
                .upgrade()
                .is_some_and(|runtime| runtime.engines().iter().all(tick)),
        }
    }
}

fn tick(engine: &EngineWeak) -> bool {
    let engine = engine.upgrade();
    if let Some(engine) = &engine {
        engine.increment_epoch();
    }
    engine.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_intervals_are_short_after_a_slice_on_an_offload_thread() {
        let interval = EpochInterval::default();
        assert_eq!(interval.next(), LONG);
        interval.shorten();
        interval.shorten();
        for _ in 0..SHORT_INTERVALS {
            assert_eq!(interval.next(), SHORT);
        }
        assert_eq!(interval.next(), LONG);
    }
}
