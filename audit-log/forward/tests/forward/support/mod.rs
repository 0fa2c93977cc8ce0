//! What the tests work with.

pub(crate) mod collector;
pub(crate) mod log;
pub(crate) mod said;
pub(crate) mod server;
pub(crate) mod stream;

use std::time::{Duration, Instant};

/// How long anything may take.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Runs a test that waits.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Waits until something is true that nobody tells.
pub(crate) async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < LONG, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
