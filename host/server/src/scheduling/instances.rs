//! The instances of one worker: the one that a request gets, and those that wait
//! for another request where that is allowed.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use crate::scheduling::admission::InstancePermit;
use engine::{App, State};
use memory_limit::Hold;
use telemetry::RequestInfo;
use telemetry::metrics::FunctionMetrics;

/// With more memory than this an instance is large: to take so much back that the guest has
/// touched takes the system a millisecond.
const MAX_SMALL_BYTES: usize = 4 << 20;

/// Gives each request of one worker an instance that no other request uses at
/// the same time, and usually none used before.
pub(crate) struct Instances {
    app: Arc<App>,
    requests_per_instance: NonZeroU32,
    metrics: Arc<FunctionMetrics>,
    idle: RefCell<Vec<Instance>>,
}

/// An instance, or the store in which there will be one.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    app: Arc<App>,
    /// None until the guest begins its first request.
    proxy: Option<Proxy>,
    /// How many requests may follow the one that it serves.
    remaining: u32,
    /// Its place in the pool. An idle instance needs none: there is a new one only when
    /// none is idle, so all of them together are never more than the places that were
    /// taken at one time.
    place: Option<InstancePermit>,
    /// Its memory, which is given back after the store is gone.
    _memory: Option<Arc<Hold>>,
}

impl Instances {
    pub(crate) fn new(
        app: Arc<App>,
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

    /// How much memory an instance begins with, in bytes.
    pub(crate) fn initial_bytes(&self) -> u64 {
        self.app.initial_bytes()
    }

    /// Whether an instance waits for another request.
    pub(crate) fn has_idle(&self) -> bool {
        !self.idle.borrow().is_empty()
    }

    /// Drops the instances that wait for another request.
    pub(crate) fn drop_idle(&self) {
        let idle = self.idle.take();
        drop(idle);
    }

    /// An instance for `request`, which has its `place`, and its `memory` if it is a new
    /// one. Nothing of the guest runs yet.
    pub(crate) fn take(
        &self,
        request: Arc<RequestInfo>,
        place: InstancePermit,
        memory: Option<Arc<Hold>>,
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
            store.data_mut().set_hold(memory.clone());
        }
        Instance {
            store,
            app: self.app.clone(),
            proxy: None,
            remaining,
            place: Some(place),
            _memory: memory,
        }
    }

    /// Keeps an instance that has served its request to the end for another one, if it
    /// may have one. Returns it otherwise.
    pub(crate) fn put_back(&self, mut instance: Instance) -> Option<Instance> {
        if instance.remaining == 0 {
            return Some(instance);
        }
        // One that still holds a body would keep its client waiting for the end.
        if instance.store.data_mut().holds_on_to_its_request() {
            if self.metrics.not_reused() {
                tracing::warn!(
                    "instances of {} are not reused, as `--reuse` allows: the guest keeps a handle \
                     on its request or its response, as runtimes of JavaScript and Go do; the \
                     metric component_runner_instances_not_reused_total counts them",
                    sanitize::line(&self.app.component().name)
                );
            }
            return Some(instance);
        }
        instance.store.data().end_lines();
        instance.remaining -= 1;
        let place = instance.place.take();
        self.idle.borrow_mut().push(instance);
        // Only now may another request come for it.
        drop(place);
        None
    }
}

impl Instance {
    /// Whether the system needs long to take its memory back.
    pub(crate) fn is_large(&self) -> bool {
        self.store.data().memory_bytes() > MAX_SMALL_BYTES
    }

    /// Lets the guest serve a request, and returns how that ended together with the
    /// instance: whoever has to break a response must know of it before the body ends,
    /// as it does when the store is dropped.
    pub(crate) async fn handle(
        mut self,
        request: Resource<HostIncomingRequest>,
        out: Resource<HostResponseOutparam>,
    ) -> (Self, wasmtime::Result<()>) {
        let result = self.call(request, out).await;
        (self, result)
    }

    async fn call(
        &mut self,
        request: Resource<HostIncomingRequest>,
        out: Resource<HostResponseOutparam>,
    ) -> wasmtime::Result<()> {
        let proxy = if let Some(proxy) = self.proxy.take() {
            proxy
        } else {
            let proxy = self.app.pre().instantiate_async(&mut self.store).await?;
            let bytes = self.store.data().settle_memory();
            self.app.set_initial_bytes(bytes);
            proxy
        };
        let handler = proxy.wasi_http_incoming_handler();
        handler.call_handle(&mut self.store, request, out).await?;
        self.proxy = Some(proxy);
        Ok(())
    }
}
