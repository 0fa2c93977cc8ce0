//! The clock that ends the time slices of guests.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use wasmtime::EngineWeak;

use crate::SharedRuntime;

/// How long a guest may compute on a worker before other requests get it.
const LONG: Duration = Duration::from_millis(5);

/// The same while guests compute on offload threads: a worker may wait for their processor.
const SHORT: Duration = Duration::from_micros(250);

/// Advances the epochs of engines until it is dropped.
///
/// It is a thread of its own because a guest that computes holds the thread of
/// its worker, and with it every timer of that worker's runtime.
pub struct EpochTicker {
    _stop: mpsc::Sender<()>,
}

impl EpochTicker {
    /// Starts a thread that advances the epochs of `engines`.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(engines: Engines, interval: Arc<EpochInterval>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                // The wait ends early when the other end of the channel is gone.
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
    /// How many short ones are to come.
    short: AtomicU32,
}

/// How many short ones follow the last time slice on an offload thread. One that computes
/// begins a slice at each tick, and a little later than that.
const SHORT_INTERVALS: u32 = 20;

impl EpochInterval {
    /// Makes the next intervals short.
    pub fn shorten(&self) {
        self.short.store(SHORT_INTERVALS, Ordering::Relaxed);
    }

    /// How long it is until the next tick.
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

/// Engines whose epochs have to be advanced.
pub enum Engines {
    /// The engines of a single component.
    Own(Vec<EngineWeak>),
    /// Those of a runtime that many components share.
    Shared(Weak<SharedRuntime>),
}

impl Engines {
    /// Advances the epochs of all of them. Returns whether there is one left.
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
    fn intervals_are_short_for_a_while_after_a_slice_on_an_offload_thread() {
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
