//! Shared helpers of the tests.

pub(crate) mod captured_log;
pub(crate) mod collector;
pub(crate) mod log;
pub(crate) mod server;
pub(crate) mod stream;

use std::time::{Duration, Instant};

/// The timeout of expected events.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Runs an async test.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Polls until `is_true`.
pub(crate) async fn until(event: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < LONG, "timeout: {event}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
