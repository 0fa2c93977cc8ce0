//! A guest at work, on its worker or offloaded.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use tokio::task::yield_now;

use crate::handler::Context as RequestContext;
use crate::scheduling::admission::RunPermit;
use crate::scheduling::cpu_history::OffloadGuard;
use crate::scheduling::fair_queue::Key;
use crate::scheduling::instances::Instance;
use crate::scheduling::offload::{Guest, OffloadedGuest};

/// Wall time for which a guest may compute on the worker. After that its processor time is
/// measured: the system may have run another thread meanwhile.
const MAX_ON_WORKER: Duration = Duration::from_millis(4);

/// Processor time that it may use after that before it is offloaded.
const MAX_CPU_ON_WORKER: Duration = Duration::from_millis(3);

/// Number of times that a guest continues before it yields to all other tasks. Each time it may
/// write or read a piece of a body.
const MAX_TURNS: u32 = 8;

/// A guest at work. It holds its instance and the permit of that, and releases both when it is done
/// or dropped.
pub(crate) struct GuestTask {
    work: Work,
    /// The right to run on this worker, while the guest does.
    turn: Option<RunPermit>,
    turns: YieldBudget,
    context: RequestContext,
}

/// The instance, and the result of the guest.
type Done = (Instance, wasmtime::Result<()>);

enum Work {
    /// On the worker.
    Here(Guest<Done>),
    /// On an offload thread.
    Offloaded {
        task: OffloadedGuest<Done>,
        guard: OffloadGuard,
    },
    Done,
}

impl GuestTask {
    pub(crate) fn new(guest: Guest<Done>, turn: RunPermit, context: RequestContext) -> Self {
        Self {
            work: Work::Here(guest),
            turn: Some(turn),
            turns: YieldBudget::default(),
            context,
        }
    }

    /// Polls the guest without a yield budget.
    pub(crate) fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<wasmtime::Result<()>> {
        let history = &self.context.served.cpu_history;
        let done = match &mut self.work {
            Work::Here(guest) => {
                let cpu_clock = self.context.request.cpu_clock();
                let before = cpu_clock.completed();
                cpu_clock.begin_slice();
                let done = guest.as_mut().poll(cx);
                cpu_clock.end_slice();
                let used = cpu_clock.completed();
                history.spend(used.saturating_sub(before));
                if done.is_pending() {
                    if cpu_clock.uses_thread_time() && used > MAX_CPU_ON_WORKER {
                        self.offload();
                        return self.poll_work(cx);
                    }
                    if !cpu_clock.uses_thread_time() && used > MAX_ON_WORKER {
                        cpu_clock.use_thread_time();
                    }
                }
                let done = ready!(done);
                history.record(used, cpu_clock.uses_thread_time(), done.1.is_err());
                done
            }
            Work::Offloaded { task, guard } => match ready!(Pin::new(task).poll(cx)) {
                Some(done) => {
                    if done.1.is_err() {
                        guard.fail();
                    }
                    done
                }
                None => return Poll::Ready(Err(wasmtime::Error::msg("the guest was lost"))),
            },
            Work::Done => return Poll::Ready(Ok(())),
        };
        self.work = Work::Done;
        self.turn = None;
        let (instance, result) = done;
        self.release(instance, result.is_ok());
        Poll::Ready(result)
    }

    fn release(&self, instance: Instance, is_whole: bool) {
        let is_kept = is_whole && !self.context.shared.memory.is_contended();
        let left = if is_kept {
            self.context.served.instances.put_back(instance)
        } else {
            if let Some(lack) = instance.store.data().memory_shortage() {
                self.context.request.set_memory_shortage(lack);
            }
            Some(instance)
        };
        // Unmapping the memory of a large instance must not delay other requests, nor must the
        // client wait for the end of a body that the guest left open.
        if let Some(mut large) = left.filter(Instance::is_large) {
            large.store.data_mut().drop_resources();
            let offload = &self.context.shared.offload;
            offload.drop_off_thread(self.function(), large);
        }
    }

    /// The key of the function in the queue of offload threads.
    fn function(&self) -> Key {
        self.context.served.key
    }

    /// Moves the guest to an offload thread, so that it delays no other request of the worker.
    pub(crate) fn offload(&mut self) {
        if let Work::Here(guest) = std::mem::replace(&mut self.work, Work::Done) {
            let request = self.context.request.clone();
            if !request.cpu_clock().uses_thread_time() {
                // Time in the queue of offload threads is not processor time.
                request.cpu_clock().use_thread_time();
            }
            tracing::debug!(request = %request.id(), "guest is offloaded");
            let offload = &self.context.shared.offload;
            self.work = Work::Offloaded {
                guard: self.context.served.cpu_history.offload(request.clone()),
                task: offload.run(self.function(), guest, request),
            };
            self.turn = None;
        }
    }
}

impl Drop for GuestTask {
    /// A guest that is cancelled has computed as well.
    fn drop(&mut self) {
        if let Work::Here(_) = self.work {
            let cpu_clock = self.context.request.cpu_clock();
            let history = &self.context.served.cpu_history;
            history.record(cpu_clock.completed(), cpu_clock.uses_thread_time(), false);
        }
    }
}

impl Future for GuestTask {
    type Output = wasmtime::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.turns.next(cx));
        self.poll_work(cx)
    }
}

/// Number of times that a guest has continued since it last yielded to all other tasks.
#[derive(Default)]
struct YieldBudget(u32);

impl YieldBudget {
    /// Whether the guest may continue. If not, it continues after other threads that wait for this
    /// processor, and after new events. The runtime itself polls for events after 61 tasks, which
    /// takes a millisecond where two tasks pass a long body on.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 < MAX_TURNS {
            self.0 += 1;
            return Poll::Ready(());
        }
        self.0 = 0;
        thread::yield_now();
        pin!(yield_now()).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::rc::Rc;

    use tokio::net::TcpListener;
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn the_yield_budget_lets_new_events_run_first() {
        const TURNS: u32 = MAX_TURNS * 4;

        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (taken, noted) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(None)));
            let at = (taken.clone(), noted.clone());
            let accepting = tokio::task::spawn_local(async move {
                listener.accept().await.unwrap();
                at.1.set(Some(at.0.get()));
            });
            let mut turns = YieldBudget::default();
            poll_fn(|cx| {
                // Each turn wakes the next one, as a guest does that passes a body on.
                ready!(turns.next(cx));
                taken.set(taken.get() + 1);
                if taken.get() == TURNS {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            accepting.await.unwrap();
            let noted: Option<u32> = noted.get();
            assert!(noted.is_some_and(|turn| turn < TURNS), "{noted:?}");
        });
    }
}
