//! A guest that goes on after the head of its response.

use std::cell::Cell;
use std::rc::Rc;

use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;
use super::request::Context;
use super::running::Running;

/// A guest that works in a task of its own, as fast as its client takes what it writes.
/// Without its client it ends.
pub(super) struct Followed {
    context: Context,
    task: Option<AbortHandle>,
    has_failed: Rc<Cell<bool>>,
    /// Whether the client has, or will get, the whole of it.
    is_complete: bool,
}

/// Lets `running`, if it is not done, go on until the deadline.
pub(super) fn follow(running: Option<Running>, deadline: Instant, context: Context) -> Followed {
    let has_failed = Rc::new(Cell::new(false));
    let task = running.map(|running| {
        let (has_failed, context) = (has_failed.clone(), context.clone());
        let task = async move {
            if let Err(failure) = work(running, deadline, &has_failed).await {
                failure
                    .note(&context, "guest failed while responding")
                    .await;
            }
        };
        tokio::task::spawn_local(task).abort_handle()
    });
    Followed {
        context,
        task,
        has_failed,
        is_complete: false,
    }
}

/// Lets a guest finish what it does after its response, such as leaving a record.
pub(super) fn finish(running: Running, deadline: Instant, context: Context) {
    tokio::task::spawn_local(async move {
        if let Err(failure) = work(running, deadline, &Cell::default()).await {
            failure
                .note(&context, "guest failed after responding")
                .await;
        }
    });
}

/// Runs a guest to its end. Whether it has failed is known before its body ends.
async fn work(
    mut running: Running,
    deadline: Instant,
    has_failed: &Cell<bool>,
) -> Result<(), Failure> {
    let failure = match timeout_at(deadline, &mut running).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => Failure::of_guest(error),
        Err(_) => Failure::TimedOut,
    };
    has_failed.set(true);
    Err(failure)
}

impl Followed {
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.get()
    }

    pub(super) fn set_complete(&mut self) {
        self.is_complete = true;
    }

    /// Leaves a record of a failure, for which the client need not wait: its connection
    /// breaks now.
    pub(super) fn fail(&self, failure: Failure) {
        self.has_failed.set(true);
        let context = self.context.clone();
        tokio::task::spawn_local(async move {
            failure
                .note(&context, "guest failed while responding")
                .await;
        });
    }
}

impl Drop for Followed {
    /// A guest whose response is complete may have more to do, such as to leave
    /// a record, and gets to finish it. One whose client has gone does not.
    fn drop(&mut self) {
        if let Some(task) = &self.task
            && !self.is_complete
        {
            task.abort();
        }
    }
}
