//! The instances of one worker: the one that a request gets, and those that wait
//! for another request where that is allowed.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use crate::RequestInfo;
use crate::guest::{App, State};

/// Gives each request of one worker an instance that no other request uses at
/// the same time, and usually none used before.
pub(super) struct Instances {
    app: Arc<App>,
    /// One permit for each request that may have an instance, and as many as
    /// the pool has room for. An idle instance needs none: there is a new one
    /// only when none is idle, so all of them together are never more than the
    /// permits that were out at one time.
    places: Arc<Semaphore>,
    requests_per_instance: NonZeroU32,
    idle: RefCell<Vec<Instance>>,
}

/// An instance, or the store in which there will be one.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    /// None until the guest begins its first request.
    proxy: Option<Proxy>,
    /// How many requests may follow the one that it serves.
    remaining: u32,
}

impl Instances {
    pub(super) fn new(app: Arc<App>, places: usize, requests_per_instance: NonZeroU32) -> Self {
        Self {
            app,
            places: Arc::new(Semaphore::new(places)),
            requests_per_instance,
            idle: RefCell::default(),
        }
    }

    /// Waits until a request may have an instance.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        let place = self.places.clone().acquire_owned().await;
        place.expect("the semaphore is never closed")
    }

    /// An instance for `request`, which has its place. Nothing of
    /// the guest runs yet.
    pub(super) fn take(&self, request: Arc<RequestInfo>) -> Instance {
        // The last one first: most of its memory is still in the caches.
        if let Some(mut instance) = self.idle.borrow_mut().pop() {
            self.app.reuse(&mut instance.store, request);
            return instance;
        }
        let remaining = self.requests_per_instance.get() - 1;
        Instance {
            store: self.app.store(request, remaining > 0),
            proxy: None,
            remaining,
        }
    }

    /// The component whose instances these are.
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    fn put_back(&self, mut instance: Instance) {
        // One that still holds a body would keep its client waiting for the end.
        if instance.remaining > 0 && !instance.store.data_mut().holds_on_to_its_request() {
            instance.remaining -= 1;
            self.idle.borrow_mut().push(instance);
        }
    }
}

impl Instance {
    /// Lets the guest serve a request. Only an instance that did so to the end is
    /// used again: one that trapped, took too long or lost its client is dropped
    /// together with this future.
    pub(super) async fn handle(
        mut self,
        _place: OwnedSemaphorePermit,
        owner: Rc<Instances>,
        request: Resource<HostIncomingRequest>,
        out: Resource<HostResponseOutparam>,
    ) -> wasmtime::Result<()> {
        let proxy = match self.proxy.take() {
            Some(proxy) => proxy,
            None => owner.app.pre().instantiate_async(&mut self.store).await?,
        };
        let handler = proxy.wasi_http_incoming_handler();
        handler.call_handle(&mut self.store, request, out).await?;
        self.proxy = Some(proxy);
        owner.put_back(self);
        Ok(())
    }
}
