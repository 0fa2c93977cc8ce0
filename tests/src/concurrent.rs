//! Threads that run next to the work of a test.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};

/// Runs `task` on `count` threads, each with its index, and returns the results in order.
pub fn on_threads<T: Send>(count: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let task = &task;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|index| scope.spawn(move || task(index)))
            .collect();
        join(threads)
    })
}

/// Runs `work` while `count` threads run `task`, each of which returns soon after the flag is
/// set. Returns the results of both.
pub fn alongside<T: Send, W>(
    count: usize,
    task: impl Fn(&AtomicBool) -> T + Sync,
    work: impl FnOnce() -> W,
) -> (W, Vec<T>) {
    /// Sets the flag also where the work panics: the scope waits for all threads.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(|| task(&stop))).collect();
        let guard = Stop(&stop);
        let done = work();
        drop(guard);
        (done, join(threads))
    })
}

/// Waits for all threads, and returns their results in order.
pub(crate) fn join<T>(threads: Vec<ScopedJoinHandle<'_, T>>) -> Vec<T> {
    let joined = threads.into_iter().map(ScopedJoinHandle::join);
    joined
        .map(|result| result.expect("no thread panics"))
        .collect()
}
