//! A guest that continues after the head of its response.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::handler::Context;
use crate::handler::guest_error::GuestError;
use crate::handler::guest_task::GuestTask;

/// A guest that works in a task of its own, as fast as its client receives the response. It ends
/// with its client.
pub(crate) struct StreamingGuest {
    context: Context,
    task: Option<AbortHandle>,
    failed: Failed,
    /// None when the client has received the complete response, or will.
    complete: Option<oneshot::Sender<()>>,
}

/// Lets `running`, if it is not done, continue as long as its response does, and for the post-return
/// timeout after that.
pub(crate) fn follow(running: Option<GuestTask>, context: Context) -> StreamingGuest {
    let (tell, failed) = oneshot::channel();
    let (complete, completed) = oneshot::channel();
    let task = running.map(|running| {
        let context = context.clone();
        let task = async move {
            let is_over = async {
                // Without its client this task is aborted.
                let _ = completed.await;
                sleep(context.served.settings().post_return_timeout).await;
            };
            if let Err(failure) = work(running, is_over, tell).await {
                failure.report_in_background(&context, "guest failed while responding");
            }
        };
        tokio::task::spawn_local(task).abort_handle()
    });
    StreamingGuest {
        context,
        task,
        failed: Failed::Unknown(failed),
        complete: Some(complete),
    }
}

/// Lets a guest finish its work after the response, such as an audit record, within the post-return
/// timeout.
pub(crate) fn finish(running: GuestTask, context: Context) {
    let (tell, _) = oneshot::channel();
    tokio::task::spawn_local(async move {
        let is_over = sleep(context.served.settings().post_return_timeout);
        if let Err(failure) = work(running, is_over, tell).await {
            failure.report_in_background(&context, "guest failed after responding");
        }
    });
}

/// Runs a guest to its end, or until its time after the response `is_over`. Reports a failure to the body at once: it
/// may take long until the guest is dropped on an offload thread, and its end of the body with it.
async fn work(
    mut running: impl Future<Output = wasmtime::Result<()>> + Unpin,
    is_over: impl Future<Output = ()>,
    tell: oneshot::Sender<()>,
) -> Result<(), GuestError> {
    let failure = tokio::select! {
        biased;
        result = &mut running => match result {
            Ok(()) => return Ok(()),
            Err(error) => GuestError::of_guest(error),
        },
        () = is_over => GuestError::NotEnded,
    };
    // The client may be gone.
    let _ = tell.send(());
    Err(failure)
}

/// Whether a guest has failed.
enum Failed {
    Unknown(oneshot::Receiver<()>),
    Known(bool),
}

impl Failed {
    /// Whether it has failed. If that is not known, wakes `cx` when it is.
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> bool {
        if let Self::Unknown(told) = self
            && let Poll::Ready(told) = Pin::new(told).poll(cx)
        {
            *self = Self::Known(told.is_ok());
        }
        matches!(self, Self::Known(true))
    }
}

impl StreamingGuest {
    /// Whether the guest has failed. If that is not known, wakes `cx` when it is.
    pub(crate) fn poll_failed(&mut self, cx: &mut TaskContext<'_>) -> bool {
        self.failed.poll(cx)
    }

    /// The client has received the complete response, or will.
    pub(crate) fn set_complete(&mut self) {
        if let Some(complete) = self.complete.take() {
            // Fails if the guest is done.
            let _ = complete.send(());
        }
    }

    /// Records a failure. The client does not wait for that: its connection breaks now.
    pub(crate) fn fail(&mut self, failure: GuestError) {
        self.failed = Failed::Known(true);
        if let Some(task) = self.task.take() {
            task.abort();
        }
        failure.report_in_background(&self.context, "guest failed while responding");
    }
}

impl Drop for StreamingGuest {
    /// A guest whose response is complete may finish its work, such as an audit record. One whose
    /// client has left may not.
    fn drop(&mut self) {
        if let Some(task) = &self.task
            && self.complete.is_some()
        {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::time::Duration;

    use tokio::runtime::Builder;
    use wasmtime::format_err;

    use super::*;

    /// Whether the body of `guest` learns of its failure before the guest is dropped.
    fn is_told(mut guest: impl Future<Output = wasmtime::Result<()>> + Unpin) -> bool {
        let runtime = Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            let (tell, failed) = oneshot::channel();
            let mut failed = Failed::Unknown(failed);
            let is_over = poll_fn(|cx| match (failed.poll(cx), &failed) {
                (_, Failed::Unknown(_)) => Poll::Pending,
                (has_failed, Failed::Known(_)) => Poll::Ready(has_failed),
            });
            let over = sleep(Duration::from_millis(1));
            let (has_failed, result) = tokio::join!(is_over, work(&mut guest, over, tell));
            assert_eq!(has_failed, result.is_err());
            has_failed
        })
    }

    #[test]
    fn a_body_learns_of_a_failure_before_its_guest_is_dropped() {
        assert!(is_told(pending()));
        assert!(is_told(ready(Err(format_err!("trap")))));
        assert!(!is_told(ready(Ok(()))));
    }
}
