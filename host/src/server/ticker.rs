//! The clock that makes long computations give way.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use wasmtime::EngineWeak;

/// How long a guest may compute before its neighbours on the same thread get
/// their turn.
const TICK: Duration = Duration::from_millis(5);

/// Advances the epoch of an engine until it is dropped.
///
/// It is a thread of its own because a guest that computes holds the thread of
/// its worker, and with it every timer of that worker's runtime.
pub(super) struct Ticker {
    _stop: mpsc::Sender<()>,
}

impl Ticker {
    pub(super) fn start(engine: EngineWeak) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                // The wait ends early when the other end of the channel is gone.
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => break,
                    }
                }
            })?;
        Ok(Self { _stop: stop })
    }
}
