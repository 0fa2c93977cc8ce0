//! Where the tasks of hyper run.

use hyper::rt::Executor;

/// Runs tasks on the thread that they come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnThisThread;

impl<F: Future<Output = ()> + 'static> Executor<F> for OnThisThread {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
