//! The clock that makes long computations give way.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::functions::Engines;

/// How long a guest may compute before its neighbours on the same thread get
/// their turn.
const TICK: Duration = Duration::from_millis(5);

/// Advances the epochs of engines until it is dropped.
///
/// It is a thread of its own because a guest that computes holds the thread of
/// its worker, and with it every timer of that worker's runtime.
pub(crate) struct Ticker {
    _stop: mpsc::Sender<()>,
}

impl Ticker {
    pub(crate) fn start(engines: Engines) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                // The wait ends early when the other end of the channel is gone.
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    if !engines.tick() {
                        break;
                    }
                }
            })?;
        Ok(Self { _stop: stop })
    }
}
