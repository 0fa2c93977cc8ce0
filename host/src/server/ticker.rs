//! The clock that makes long computations give way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::functions::Engines;

/// How long a guest may compute before its neighbours on the same thread get
/// their turn.
const TICK: Duration = Duration::from_millis(5);

/// The same while guests compute in the background: others may wait for the processor that
/// the system has given to them.
const SHORT_TICK: Duration = Duration::from_micros(500);

/// Advances the epochs of engines until it is dropped.
///
/// It is a thread of its own because a guest that computes holds the thread of
/// its worker, and with it every timer of that worker's runtime.
pub(crate) struct Ticker {
    _stop: mpsc::Sender<()>,
}

impl Ticker {
    pub(crate) fn start(engines: Engines, pace: Arc<Pace>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                // The wait ends early when the other end of the channel is gone.
                while stopped.recv_timeout(pace.next()) == Err(RecvTimeoutError::Timeout) {
                    if !engines.tick() {
                        break;
                    }
                }
            })?;
        Ok(Self { _stop: stop })
    }
}

/// How fast the clock ticks.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// How many short ticks are to come.
    short_ticks: AtomicU32,
}

/// After the last one who hurries: a guest that computes says so once for each tick, and a
/// little later than that.
const SHORT_TICKS: u32 = 10;

impl Pace {
    /// Makes the next ticks short.
    pub(crate) fn hurry(&self) {
        self.short_ticks.store(SHORT_TICKS, Ordering::Relaxed);
    }

    /// How long it is until the next tick.
    fn next(&self) -> Duration {
        match self.short_ticks.load(Ordering::Relaxed) {
            0 => TICK,
            left => {
                self.short_ticks.store(left - 1, Ordering::Relaxed);
                SHORT_TICK
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short_for_a_while_after_somebody_hurried() {
        let pace = Pace::default();
        assert_eq!(pace.next(), TICK);
        pace.hurry();
        pace.hurry();
        for _ in 0..SHORT_TICKS {
            assert_eq!(pace.next(), SHORT_TICK);
        }
        assert_eq!(pace.next(), TICK);
    }
}
