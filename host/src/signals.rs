//! Signals.

use std::{io, process, thread};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Makes a write beyond the file size limit (`ulimit -f`) fail as on a full disk, instead of ending
/// the process.
///
/// # Errors
///
/// Fails if the handler cannot be installed.
pub(crate) fn survive_file_size_limit() -> io::Result<()> {
    // A handled signal never has its default effect again.
    signal(SignalKind::from_raw(FILE_SIZE_LIMIT)).map(drop)
}

/// SIGXFSZ, which has this number on every system.
const FILE_SIZE_LIMIT: i32 = 25;

/// Handles SIGHUP, which reopens logs and no longer ends the process.
///
/// # Errors
///
/// Fails if the handler cannot be installed.
pub(crate) fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Resolves when SIGINT or SIGTERM arrives. A second one ends the process at once, with
/// 128 + the number of the first signal as the exit code, as shells do.
///
/// Its own thread waits for them, so that signals work while other threads are blocked.
///
/// # Errors
///
/// Fails if the handlers cannot be installed, or no thread can be created.
pub(crate) fn shutdown() -> io::Result<impl Future<Output = ()>> {
    let (first, arrived) = oneshot::channel();
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || {
        runtime.block_on(async {
            let code = next(&mut interrupt, &mut terminate).await;
            tracing::info!("shutting down; a second signal ends the process at once");
            // Fails if the server has ended.
            let _ = first.send(());
            next(&mut interrupt, &mut terminate).await;
            process::exit(code);
        });
    })?;
    Ok(async {
        // An error means that the thread has ended, and no signal can arrive any more.
        if arrived.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Waits for either signal and returns 128 and its number.
async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
        _ = terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
    }
}
