//! Where guests go that compute for long.

use std::io;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// Threads of low priority. Whatever else this process has to do goes first, so that a
/// guest that computes for ever keeps no request of another one waiting.
pub(super) struct Background {
    /// None when it is being shut down.
    runtime: Option<Runtime>,
}

impl Background {
    pub(super) fn start(threads: NonZeroUsize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.get())
            .thread_name("background")
            .enable_all()
            .on_thread_start(give_way)
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    pub(super) fn handle(&self) -> Handle {
        let runtime = self.runtime.as_ref();
        runtime
            .expect("it is there until this is dropped")
            .handle()
            .clone()
    }
}

impl Drop for Background {
    /// Guests that are still here have no client any more.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A task in the background, which ends when this is dropped.
pub(super) struct Away<T>(JoinHandle<T>);

impl<T: Send + 'static> Away<T> {
    pub(super) fn spawn(on: &Handle, task: impl Future<Output = T> + Send + 'static) -> Self {
        Self(on.spawn(task))
    }
}

impl<T> Future for Away<T> {
    /// None if the task was lost, such as when the process ends.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Away<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets all other threads go first, without waiting for ever: where all processors are
/// busy, a thread of this priority gets about a tenth of what one of the others gets.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        // On Linux, a thread has a priority of its own. Without it, it works as well.
        let thread = rustix::thread::gettid();
        let _ = rustix::process::setpriority_process(Some(thread), 10);
    }
}
