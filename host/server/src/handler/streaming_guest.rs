//! A guest that goes on after the head of its response.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::handler::Context;
use crate::handler::guest_error::GuestError;
use crate::scheduling::guest_task::GuestTask;

/// A guest that works in a task of its own, as fast as its client takes what it writes.
/// Without its client it ends.
pub(crate) struct StreamingGuest {
    context: Context,
    task: Option<AbortHandle>,
    failed: Failed,
    /// None when the client has, or will get, the whole of its response.
    complete: Option<oneshot::Sender<()>>,
}

/// Lets `running`, if it is not done, go on as long as its response does, and for the request
/// timeout after that.
pub(crate) fn follow(running: Option<GuestTask>, context: Context) -> StreamingGuest {
    let (tell, failed) = oneshot::channel();
    let (complete, completed) = oneshot::channel();
    let task = running.map(|running| {
        let context = context.clone();
        let task = async move {
            let over = async {
                // Without its client this task is aborted.
                let _ = completed.await;
                sleep(context.served.settings().request_timeout).await;
            };
            if let Err(failure) = work(running, over, tell).await {
                failure.note_apart(&context, "guest failed while responding");
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

/// Lets a guest finish what it does after its response, such as leaving a record.
pub(crate) fn finish(running: GuestTask, deadline: Instant, context: Context) {
    let (tell, _) = oneshot::channel();
    tokio::task::spawn_local(async move {
        if let Err(failure) = work(running, sleep_until(deadline), tell).await {
            failure.note_apart(&context, "guest failed after responding");
        }
    });
}

/// Runs a guest to its end, or until its time is `over`. Tells its body at once if it fails: on an
/// offload thread it may take long until the guest is dropped, and with it the other end of the
/// body.
async fn work(
    mut running: impl Future<Output = wasmtime::Result<()>> + Unpin,
    over: impl Future<Output = ()>,
    tell: oneshot::Sender<()>,
) -> Result<(), GuestError> {
    let failure = tokio::select! {
        biased;
        result = &mut running => match result {
            Ok(()) => return Ok(()),
            Err(error) => GuestError::of_guest(error),
        },
        () = over => GuestError::TimedOut,
    };
    // Nobody wants to know it any more if the client has gone.
    let _ = tell.send(());
    Err(failure)
}

/// Whether a guest has failed.
enum Failed {
    Unknown(oneshot::Receiver<()>),
    Known(bool),
}

impl Failed {
    /// Whether it has. If that is not known, `cx` is woken when it is.
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
    /// Whether the guest has failed. If that is not known, `cx` is woken when it is.
    pub(crate) fn poll_failed(&mut self, cx: &mut TaskContext<'_>) -> bool {
        self.failed.poll(cx)
    }

    /// The client has, or will get, the whole response.
    pub(crate) fn set_complete(&mut self) {
        if let Some(complete) = self.complete.take() {
            // Fails if the guest is done.
            let _ = complete.send(());
        }
    }

    /// Leaves a record of a failure, for which the client need not wait: its connection
    /// breaks now.
    pub(crate) fn fail(&mut self, failure: GuestError) {
        self.failed = Failed::Known(true);
        if let Some(task) = self.task.take() {
            task.abort();
        }
        failure.note_apart(&self.context, "guest failed while responding");
    }
}

impl Drop for StreamingGuest {
    /// A guest whose response is complete may have more to do, such as to leave
    /// a record, and gets to finish it. One whose client has gone does not.
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

    /// Whether the body of `guest` is told that it has failed, while the guest is not
    /// dropped.
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
    fn a_body_is_told_that_its_guest_has_failed_before_that_is_dropped() {
        assert!(is_told(pending()));
        assert!(is_told(ready(Err(format_err!("trap")))));
        assert!(!is_told(ready(Ok(()))));
    }
}
