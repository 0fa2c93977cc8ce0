//! Which signals arrive, and what they mean.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Lets a write beyond the limit for the size of files (`ulimit -f`) fail as on a
/// full disk, instead of ending the process.
///
/// # Errors
///
/// Fails if the signal cannot be caught.
pub(crate) fn survive_file_size_limit() -> io::Result<()> {
    // Once caught, a signal never has its default effect again.
    signal(SignalKind::from_raw(FILE_SIZE_LIMIT)).map(drop)
}

/// SIGXFSZ, which has this number on every system.
const FILE_SIZE_LIMIT: i32 = 25;

/// SIGHUP, which asks for logs to be opened anew. From now on it does not end the process.
///
/// # Errors
///
/// Fails if the signal cannot be caught.
pub(crate) fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Resolves when SIGINT or SIGTERM arrives. A second one ends the process at
/// once, with the code that a shell gives to a process that died of a signal.
///
/// # Errors
///
/// Fails if the signals cannot be caught.
pub(crate) fn shutdown() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let code = first(&mut interrupt, &mut terminate).await;
        tracing::info!("shutting down; a second signal ends the process at once");
        tokio::spawn(async move {
            first(&mut interrupt, &mut terminate).await;
            process::exit(code);
        });
    })
}

/// Waits for either signal and returns 128 and its number.
async fn first(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
        _ = terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
    }
}
