//! The instances of one worker: a fresh one for each request, or an idle one where reuse is
//! allowed.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::sync::Arc;

use engine::{Call, CompiledComponent, Handler, State};
use memory_limit::InstanceMemory;
use telemetry::RequestInfo;
use telemetry::metrics::FunctionMetrics;
use wasmtime::Store;

use crate::scheduling::admission::InstancePermit;

/// Memory above which an instance is large: unmapping what the guest has touched takes the system a
/// millisecond.
const MAX_SMALL_BYTES: usize = 4 << 20;

/// Gives each request of one worker an instance that no other request uses at the same time, and
/// that no request used before unless reuse is allowed.
pub(crate) struct Instances {
    app: Arc<CompiledComponent>,
    requests_per_instance: NonZeroU32,
    metrics: Arc<FunctionMetrics>,
    idle: RefCell<Vec<Instance>>,
}

/// An instance, or the store in which it is made.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    app: Arc<CompiledComponent>,
    /// None until the guest starts its first request.
    handler: Option<Handler>,
    /// Number of requests that may follow the present one.
    remaining: u32,
    /// Its permit in the pool. An idle instance needs none: a new instance is made only when none
    /// is idle, so there are never more than the permits that were taken at one time.
    place: Option<InstancePermit>,
    /// Its memory, which is released after the store is dropped.
    _memory: Option<Arc<InstanceMemory>>,
}

impl Instances {
    pub(crate) fn new(
        app: Arc<CompiledComponent>,
        requests_per_instance: NonZeroU32,
        metrics: Arc<FunctionMetrics>,
    ) -> Self {
        Self {
            app,
            requests_per_instance,
            metrics,
            idle: RefCell::default(),
        }
    }

    /// The component.
    pub(crate) fn app(&self) -> &CompiledComponent {
        &self.app
    }

    /// Whether an instance is idle.
    pub(crate) fn has_idle(&self) -> bool {
        !self.idle.borrow().is_empty()
    }

    /// Drops idle instances.
    pub(crate) fn drop_idle(&self) {
        let idle = self.idle.take();
        drop(idle);
    }

    /// An instance for `request`, with the permit `place`, and `memory` for a new one. No guest
    /// code runs yet.
    pub(crate) fn take(
        &self,
        request: Arc<RequestInfo>,
        place: InstancePermit,
        memory: Option<Arc<InstanceMemory>>,
    ) -> Instance {
        // The last one first: most of its memory is still in the caches.
        if let Some(mut instance) = self.idle.borrow_mut().pop() {
            self.app.reuse(&mut instance.store, request);
            instance.place = Some(place);
            return instance;
        }
        let remaining = self.requests_per_instance.get() - 1;
        let mut store = self.app.store(request);
        if let Some(memory) = &memory {
            store.data_mut().set_instance_memory(memory.clone());
        }
        Instance {
            store,
            app: self.app.clone(),
            handler: None,
            remaining,
            place: Some(place),
            _memory: memory,
        }
    }

    /// Keeps an instance whose request is complete for another one, if reuse allows that. Returns
    /// the instance otherwise.
    pub(crate) fn put_back(&self, mut instance: Instance) -> Option<Instance> {
        if instance.remaining == 0 {
            return Some(instance);
        }
        // An instance that still holds a body would keep the client waiting for its end.
        if instance.holds_request_resources() {
            if self.metrics.record_not_reused() {
                tracing::warn!(
                    "instances of {} are not reused, as `--reuse` allows: the guest keeps a handle \
                     on its request or its response, as runtimes of JavaScript and Go do; the \
                     metric component_runner_instances_not_reused_total counts them",
                    sanitize::line(&self.app.component().name)
                );
            }
            return Some(instance);
        }
        instance.store.data().flush_partial_lines();
        instance.remaining -= 1;
        let place = instance.place.take();
        self.idle.borrow_mut().push(instance);
        // Requests may come for it only from now on.
        drop(place);
        None
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.store.data().break_bodies();
    }
}

impl Instance {
    /// Whether the guest has handles of its request or response, or streams that may be of these.
    fn holds_request_resources(&mut self) -> bool {
        let streams = self.store.concurrent_resource_table();
        let has_streams = streams.is_some_and(|table| !table.is_empty());
        has_streams || self.store.data_mut().holds_request_resources()
    }

    /// Whether unmapping its memory takes the system long.
    pub(crate) fn is_large(&self) -> bool {
        self.store.data().memory_bytes() > MAX_SMALL_BYTES
    }

    /// Lets the guest serve a request. Returns the result together with the instance: the body has
    /// to learn of a failure before it ends, which it does when the store is dropped.
    pub(crate) async fn handle(mut self, call: Call) -> (Self, wasmtime::Result<()>) {
        let result = self.call(call).await;
        (self, result)
    }

    async fn call(&mut self, call: Call) -> wasmtime::Result<()> {
        let handler = if let Some(handler) = self.handler.take() {
            handler
        } else {
            let handler = self.app.instantiate(&mut self.store).await?;
            self.app.record_start(self.store.data().accounted_bytes());
            handler
        };
        handler.handle(&mut self.store, call).await?;
        self.app.record_end(self.store.data().accounted_bytes());
        self.handler = Some(handler);
        Ok(())
    }
}
