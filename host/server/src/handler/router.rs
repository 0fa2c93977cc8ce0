//! The function of a request, as one worker serves it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::iter;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use functions::{Found, Function, RequestLimits, Table};
use http::Request;
use memory_limit::{FunctionMemory, MemoryLimit};
use telemetry::{FunctionTelemetry, Rejection};
use tokio::sync::{Semaphore, watch};

use crate::scheduling::admission::Admission;
use crate::scheduling::cpu_history::CpuHistory;
use crate::scheduling::fair_queue::Key;
use crate::scheduling::instances::Instances;
use crate::scheduling::pace::{EventLoop, Pace};
use crate::scheduling::shared_slots::{RequestSlots, SharedSlots};

/// The state that requests of one worker to one version of a function share.
pub(crate) struct ServedFunction {
    pub(crate) function: Arc<Function>,
    /// The next handler of its middleware, where the server connects them.
    pub(crate) next: Option<Rc<ServedFunction>>,
    /// A copy for this worker: a shared reference count would be contended.
    pub(crate) telemetry: Arc<FunctionTelemetry>,
    pub(crate) instances: Instances,
    /// Admits no more requests than the pool has instances, so the pool never runs out: requests
    /// wait instead.
    pub(crate) admission: Rc<Admission>,
    pub(crate) cpu_history: Rc<CpuHistory>,
    /// None for a single function, which delays no other.
    pub(crate) pace: Option<Rc<Pace>>,
    /// The memory of its instances, on all workers. All segments share it, so that they get the share of
    /// one function.
    pub(crate) memory: Arc<FunctionMemory>,
    /// One request at a time waits for memory; the others wait here.
    pub(crate) memory_queue: Semaphore,
    /// Its key in the queue of offload threads: the same on all workers and of all segments.
    pub(crate) key: Key,
}

impl ServedFunction {
    /// This segment and those that it passes requests on to, the outermost first.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |served| served.next.as_deref())
    }

    /// Limits of its requests.
    pub(crate) fn settings(&self) -> &RequestLimits {
        self.function.settings()
    }
}

/// Finds the function of each request of one worker.
pub(crate) struct Router {
    changes: RefCell<watch::Receiver<Arc<Table>>>,
    view: RefCell<View>,
    /// The index of this worker, and the number of workers.
    thread: usize,
    threads: usize,
    shared_slots: Option<Rc<SharedSlots>>,
    memory: Arc<MemoryLimit>,
    event_loop: Rc<EventLoop>,
}

/// The functions that this worker knows.
struct View {
    table: Arc<Table>,
    /// By index; None until the first request.
    served: Vec<Option<Rc<ServedFunction>>>,
}

impl Router {
    /// A router for the worker `thread` of `threads`. `shared_instances` is the number of instances
    /// that all functions together may have on all workers, if they share a pool.
    pub(crate) fn new(
        mut changes: watch::Receiver<Arc<Table>>,
        shared_instances: Option<u32>,
        thread: usize,
        threads: usize,
        memory: Arc<MemoryLimit>,
        event_loop: Rc<EventLoop>,
    ) -> Self {
        let table = changes.borrow_and_update().clone();
        let places = |all: u32| (all as usize / threads).max(1);
        Self {
            view: RefCell::new(View {
                served: vec![None; table.functions().len()],
                table,
            }),
            changes: RefCell::new(changes),
            thread,
            threads,
            shared_slots: shared_instances.map(|all| SharedSlots::new(places(all))),
            memory,
            event_loop,
        }
    }

    /// The active version of the function of a request.
    ///
    /// # Errors
    ///
    /// Fails if no route matches, or the function is not loaded yet.
    pub(crate) fn find<B>(&self, request: &Request<B>) -> Result<Rc<ServedFunction>, Rejection> {
        // An error means that the functions will not change any more.
        if self.changes.borrow().has_changed().unwrap_or(false) {
            self.update();
        }
        let mut view = self.view.borrow_mut();
        let View { table, served } = &mut *view;
        let number = match table.find(request) {
            Found::Served(number) => number,
            Found::Loading => return Err(Rejection::Loading),
            Found::Nothing => return Err(Rejection::NoRoute),
        };
        let served = served[number]
            .get_or_insert_with(|| self.serve(table.functions()[number].clone(), None));
        Ok(served.clone())
    }

    /// Follows changes also while no request arrives, so that no old version is kept.
    pub(crate) async fn follow(&self) {
        let mut changes = self.changes.borrow().clone();
        while changes.changed().await.is_ok() {
            self.update();
        }
    }

    /// Drops idle instances and returns free memory of the allocator to the system, whenever
    /// requests wait for memory.
    pub(crate) async fn release_memory(&self) -> Infallible {
        /// Pause between two of these, which take the longer the more memory there is to return.
        const PAUSE: Duration = Duration::from_millis(100);

        loop {
            self.memory.contended().await;
            for served in self.view.borrow().served.iter().flatten() {
                served.instances.drop_idle();
            }
            self.memory.release_freed();
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes the functions that are served now.
    fn update(&self) {
        let table = self.changes.borrow_mut().borrow_and_update().clone();
        let mut view = self.view.borrow_mut();
        let known = std::mem::take(&mut view.served);
        let known: HashMap<_, _> = known
            .into_iter()
            .flatten()
            .map(|served| (served.function.name().to_owned(), served))
            .collect();
        let again = |function: &Arc<Function>| {
            let before = known.get(function.name())?;
            if Arc::ptr_eq(&before.function, function) {
                return Some(before.clone());
            }
            Some(self.serve(function.clone(), Some(before)))
        };
        view.served = table.functions().iter().map(again).collect();
        view.table = table;
    }

    /// Serves a function for the first time, or a new version in the place of `before`, which may
    /// still have requests in flight.
    fn serve(
        &self,
        function: Arc<Function>,
        before: Option<&Rc<ServedFunction>>,
    ) -> Rc<ServedFunction> {
        let segments = u32::try_from(function.chain().count()).unwrap_or(u32::MAX);
        let slots = self.shared_slots.as_ref();
        let slots = slots.map(|slots| RequestSlots::new(slots.clone(), segments));
        let has_neighbours = self.shared_slots.is_some();
        let memory = function.memory(&self.memory, has_neighbours).clone();
        let key = Arc::as_ptr(&function).addr();
        self.serve_segment(function, before, slots, memory, key)
    }

    /// Serves a segment. The outermost one takes the `slots` of all, and all have one account of `memory`
    /// and one `key`.
    fn serve_segment(
        &self,
        function: Arc<Function>,
        before: Option<&Rc<ServedFunction>>,
        slots: Option<RequestSlots>,
        memory: Arc<FunctionMemory>,
        key: Key,
    ) -> Rc<ServedFunction> {
        let settings = *function.settings();
        let max_instances = function.max_instances();
        let is_as_before = |before: &&Rc<ServedFunction>| {
            let RequestLimits {
                max_queued,
                queue_timeout,
                ..
            } = *before.settings();
            before.function.max_instances() == max_instances
                && before.function.chain().count() == function.chain().count()
                && (max_queued, queue_timeout) == (settings.max_queued, settings.queue_timeout)
        };
        let pace = match before {
            Some(before) => before.pace.clone(),
            // A request starts once, at the outermost segment.
            None => slots.is_some().then(|| Pace::new(self.event_loop.clone())),
        };
        let admission = match before.filter(is_as_before) {
            Some(before) => before.admission.clone(),
            None => Admission::new(
                (max_instances as usize / self.threads).max(1),
                (settings.max_queued as usize).div_ceil(self.threads),
                settings.queue_timeout,
                slots,
            ),
        };
        let next = function.next().map(|next| {
            let before = before.and_then(|before| before.next.as_ref());
            self.serve_segment(next.clone(), before, None, memory.clone(), key)
        });
        let app = function.app_of(self.thread).clone();
        Rc::new(ServedFunction {
            telemetry: Arc::new(FunctionTelemetry::clone(function.telemetry())),
            instances: Instances::new(
                app,
                settings.requests_per_instance,
                function.telemetry().metrics().clone(),
            ),
            admission,
            cpu_history: CpuHistory::new(self.shared_slots.is_some()),
            pace,
            memory,
            memory_queue: Semaphore::new(1),
            key,
            next,
            function,
        })
    }
}
