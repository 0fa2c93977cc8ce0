//! How `tail --follow` waits, and when it ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long to wait for new records.
const INTERVAL: Duration = Duration::from_millis(250);

/// Waits again and again, until a signal arrives or nobody reads standard output.
pub(crate) struct Pause {
    /// Whether a signal has arrived; None until somebody waits.
    stopped: Option<Arc<AtomicBool>>,
}

impl Pause {
    pub(crate) fn new() -> Self {
        Self { stopped: None }
    }

    /// Returns whether to go on.
    pub(crate) fn wait(&mut self) -> bool {
        let stopped = self.stopped.get_or_insert_with(|| {
            // Without it, a signal ends the process at once, which loses nothing.
            signals().unwrap_or_default()
        });
        !stopped.load(Ordering::Relaxed) && wait_for_output() && !stopped.load(Ordering::Relaxed)
    }
}

/// Waits, but not longer than somebody reads standard output.
#[cfg(unix)]
fn wait_for_output() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let interval = Timespec::try_from(INTERVAL).ok();
    let stdout = io::stdout();
    // An error is reported without being asked for.
    let mut outputs = [PollFd::new(&stdout, PollFlags::empty())];
    // A signal may end it early.
    let _ = poll(&mut outputs, interval.as_ref());
    let is_closed = PollFlags::ERR | PollFlags::NVAL;
    if outputs[0].revents().intersects(is_closed) {
        return false;
    }
    // What is at its end for other reasons must not be asked all the time.
    if outputs[0].revents().intersects(PollFlags::HUP) {
        thread::sleep(INTERVAL);
    }
    true
}

#[cfg(not(unix))]
fn wait_for_output() -> bool {
    thread::sleep(INTERVAL);
    true
}

/// From now on SIGINT and SIGTERM do not end the process, but are noted.
#[cfg(unix)]
fn signals() -> io::Result<Arc<AtomicBool>> {
    use tokio::signal::unix::{SignalKind, signal};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _guard = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let stopped = Arc::new(AtomicBool::new(false));
    let noted = stopped.clone();
    thread::Builder::new()
        .name("audit-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            noted.store(true, Ordering::Relaxed);
        })?;
    Ok(stopped)
}

#[cfg(not(unix))]
fn signals() -> io::Result<Arc<AtomicBool>> {
    Ok(Arc::default())
}
