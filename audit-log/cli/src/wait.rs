//! The wait of `tail --follow`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The polling interval for new records.
const INTERVAL: Duration = Duration::from_millis(250);

/// The wait for new records, until a signal arrives or standard output is closed.
pub(crate) struct FollowWait {
    /// Whether a signal has arrived; None before the first wait.
    stopped: Option<Arc<AtomicBool>>,
}

impl FollowWait {
    pub(crate) fn new() -> Self {
        Self { stopped: None }
    }

    /// Waits for the polling interval. Returns whether to continue.
    pub(crate) fn wait(&mut self) -> bool {
        let stopped = self.stopped.get_or_insert_with(|| {
            // If this fails, a signal ends the process at once, which loses nothing.
            signals().unwrap_or_default()
        });
        !stopped.load(Ordering::Relaxed) && wait_for_output() && !stopped.load(Ordering::Relaxed)
    }
}

/// Waits for the polling interval. Returns false if standard output is closed.
#[cfg(unix)]
fn wait_for_output() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let interval = Timespec::try_from(INTERVAL).ok();
    let stdout = io::stdout();
    // `POLLERR` is reported without being requested.
    let mut outputs = [PollFd::new(&stdout, PollFlags::empty())];
    // A signal may interrupt it.
    let _ = poll(&mut outputs, interval.as_ref());
    let is_closed = PollFlags::ERR | PollFlags::NVAL;
    if outputs[0].revents().intersects(is_closed) {
        return false;
    }
    // Prevents a busy loop on an output that reports only `POLLHUP`.
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

/// Installs handlers that set a flag at SIGINT and SIGTERM.
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
    let flag = stopped.clone();
    thread::Builder::new()
        .name("audit-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            flag.store(true, Ordering::Relaxed);
        })?;
    Ok(stopped)
}

#[cfg(not(unix))]
fn signals() -> io::Result<Arc<AtomicBool>> {
    Ok(Arc::default())
}
