//! A guest at work.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::admission::Turn;
use super::background::Away;
use super::instances::Instance;
use super::request::Context as RequestContext;

/// How long a guest may compute on the thread that serves. After that it is measured
/// exactly: the system may have given the processor to somebody else meanwhile.
const MAX_FOREGROUND: Duration = Duration::from_millis(4);

/// How much longer it may go on, by the exact measure. Then it moves to the background.
const MAX_EXACT: Duration = Duration::from_millis(3);

/// A guest at work. It holds its instance and its place among them, and gives both back
/// when it is done or dropped.
pub(super) struct Running {
    work: Work,
    /// The right to run on this thread, as long as it does.
    turn: Option<Turn>,
    context: RequestContext,
}

/// What a guest does until its request is over.
pub(super) type Guest = Pin<Box<dyn Future<Output = Done> + Send>>;

/// The instance, and how it ended.
type Done = (Instance, wasmtime::Result<()>);

enum Work {
    /// On this thread.
    Here(Guest),
    /// In the background.
    Away(Away<Done>),
    Done,
}

impl Running {
    pub(super) fn new(guest: Guest, turn: Turn, context: RequestContext) -> Self {
        Self {
            work: Work::Here(guest),
            turn: Some(turn),
            context,
        }
    }

    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<wasmtime::Result<()>> {
        let done = match &mut self.work {
            Work::Here(guest) => {
                let meter = self.context.request.meter();
                let before = meter.used();
                meter.begin_turn();
                let done = guest.as_mut().poll(cx);
                meter.end_turn();
                let turn = meter.used().saturating_sub(before);
                self.context.served.admission.spend(turn);
                if done.is_pending() {
                    if meter.is_exact() && meter.used() > MAX_EXACT {
                        self.context.served.admission.note_long();
                        self.go_away();
                        return self.poll_work(cx);
                    }
                    if !meter.is_exact() && meter.used() > MAX_FOREGROUND {
                        meter.be_exact();
                    }
                }
                ready!(done)
            }
            Work::Away(away) => match ready!(Pin::new(away).poll(cx)) {
                Some(done) => done,
                None => return Poll::Ready(Err(wasmtime::Error::msg("the guest was lost"))),
            },
            Work::Done => return Poll::Ready(Ok(())),
        };
        self.work = Work::Done;
        self.turn = None;
        let (instance, result) = done;
        self.put_back(instance, result.is_ok());
        Poll::Ready(result)
    }

    fn put_back(&self, instance: Instance, is_whole: bool) {
        let left = if is_whole {
            self.context.served.instances.put_back(instance)
        } else {
            if instance.store.data().has_wanted_too_much() {
                self.context.request.set_wanted_too_much();
            }
            Some(instance)
        };
        // Nobody else should wait while the system takes a large one apart.
        if let Some(large) = left.filter(Instance::is_large) {
            self.context.shared.background.spawn(async { drop(large) });
        }
    }

    /// Moves the guest to the background, where it gives way to whatever else this process
    /// has to do.
    pub(super) fn go_away(&mut self) {
        if let Work::Here(mut guest) = std::mem::replace(&mut self.work, Work::Done) {
            let request = self.context.request.clone();
            if !request.meter().is_exact() {
                // Where it goes it waits for everybody, and that is not its time.
                request.meter().be_exact();
            }
            tracing::debug!(request = %request.id(), "guest goes on in the background");
            let metered = std::future::poll_fn(move |cx| {
                request.meter().begin_turn();
                let done = guest.as_mut().poll(cx);
                request.meter().end_turn();
                done
            });
            self.work = Work::Away(Away::spawn(&self.context.shared.background, metered));
            self.turn = None;
        }
    }
}

impl Future for Running {
    type Output = wasmtime::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_work(cx)
    }
}
