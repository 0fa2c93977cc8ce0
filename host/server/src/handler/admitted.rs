//! An admitted request: what it holds while its guest works.

use std::sync::Arc;

use bytes::Bytes;
use engine::{CompiledComponent, ResponseHead};
use http::Request;
use http_body::Body;
use memory_limit::InstanceMemory;
use telemetry::Rejection;
use tokio::time::timeout;
use wasmtime_wasi_http::Error;

use crate::handler::Context;
use crate::handler::guest_error::GuestError;
use crate::handler::guest_task::GuestTask;
use crate::handler::next::Next;
use crate::handler::router::ServedFunction;
use crate::scheduling::admission::{CommonSlots, InstancePermit, RunPermit};

/// An admitted request, with the right to run, an instance and its memory.
pub(crate) struct Admitted {
    run: RunPermit,
    instance: InstancePermit,
    /// None for an idle instance, which has its memory.
    memory: Option<Arc<InstanceMemory>>,
    has_waited: bool,
    /// The next handler of a middleware. It is admitted before the middleware starts, so that no
    /// request waits with half of what it needs.
    next: Option<Box<Next>>,
}

impl Admitted {
    /// Waits until the request is admitted. One that a middleware passes on holds `outer`, the slots
    /// of the middleware.
    ///
    /// # Errors
    ///
    /// Fails if a queue is full, or the request was in one for too long.
    pub(crate) async fn wait(
        context: &Context,
        outer: Option<&CommonSlots>,
    ) -> Result<Self, GuestError> {
        let mut admitted = Self::admit(context, outer).await?;
        if let Some(AcquiredMemory { memory, next_bytes }) = acquire_memory(context).await? {
            admitted.set_memory(memory, &next_bytes);
        }
        Ok(admitted)
    }

    /// Waits for the permits of all segments.
    async fn admit(context: &Context, outer: Option<&CommonSlots>) -> Result<Self, GuestError> {
        let ServedFunction {
            admission,
            telemetry,
            next,
            ..
        } = &*context.served;
        let at_once = admission.try_admit();
        let has_waited = at_once.is_none();
        let (run, mut instance) = if let Some(admitted) = at_once {
            admitted
        } else {
            let _queued = telemetry.metrics().request_queued();
            admission.admit().await?
        };
        if let Some(outer) = outer {
            instance.share(outer);
        }
        let next = match next {
            Some(next) => {
                let context = context.for_next(next);
                let common = instance.common();
                let admitted = Box::pin(Self::admit(&context, Some(common))).await?;
                Some(Box::new(Next::new(context, admitted, common.clone())))
            }
            None => None,
        };
        Ok(Self {
            run,
            instance,
            memory: None,
            has_waited,
            next,
        })
    }

    /// Gives `memory`, which was acquired for all segments, to them. `next_bytes` is the part of each
    /// segment behind this one.
    pub(crate) fn set_memory(&mut self, memory: Arc<InstanceMemory>, next_bytes: &[u64]) {
        if let Some(next) = &mut self.next {
            next.set_memory(&memory, next_bytes);
        }
        self.memory = Some(memory);
    }

    /// Prepares the guest. None of its code runs before the task is polled.
    ///
    /// # Errors
    ///
    /// Fails if the request names no valid host.
    pub(crate) fn start<B>(
        self,
        request: Request<B>,
        is_tls: bool,
        context: &Context,
    ) -> Result<(GuestTask, ResponseHead), GuestError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Error>,
    {
        let ServedFunction {
            instances,
            cpu_history,
            ..
        } = &*context.served;
        let mut instance = instances.take(context.request.clone(), self.instance, self.memory);
        if let Some(next) = self.next {
            instance.store.data_mut().set_next(next.handle_calls());
        }
        let call = instances.app().call(&mut instance.store, request, is_tls);
        let (call, head) = call.map_err(GuestError::Unusable)?;
        let guest = Box::pin(instance.handle(call));
        let mut task = GuestTask::new(guest, self.run, context.clone());
        if cpu_history.should_offload(self.has_waited) {
            task.offload();
        } else if cpu_history.needs_cpu_sample() && !context.request.cpu_clock().uses_thread_time()
        {
            context.request.cpu_clock().use_thread_time();
        }
        Ok((task, head))
    }
}

/// The memory of a new instance of each segment.
struct AcquiredMemory {
    /// Of all segments.
    memory: Arc<InstanceMemory>,
    /// The needed memory of each segment behind the outermost one, in bytes, with which `memory` was
    /// acquired: other requests may measure another one meanwhile.
    next_bytes: Vec<u64>,
}

/// A request waits for its usual memory where that is at most the memory of all guests divided by
/// this.
const SMALL_PART: u64 = 4;

/// Waits for the memory of a new instance of each segment. It is acquired at once, so that no request
/// waits with the memory of some segments for that of the others. None for an idle instance.
async fn acquire_memory(context: &Context) -> Result<Option<AcquiredMemory>, GuestError> {
    let ServedFunction {
        function,
        telemetry,
        instances,
        memory,
        memory_queue,
        ..
    } = &*context.served;
    // Only the instances of a single component are reused, and it has no other segment.
    if instances.has_idle() {
        return Ok(None);
    }
    let segments = |bytes: fn(&CompiledComponent) -> u64| {
        let segments = context.served.chain();
        segments.map(move |served| bytes(served.instances.app()))
    };
    let usual = total_bytes(segments(CompiledComponent::usual_bytes));
    // A request that waited for more might never get it.
    let is_small = usual <= context.shared.memory.guest_limit_bytes() / SMALL_PART;
    let needed_bytes: fn(&CompiledComponent) -> u64 = if is_small {
        CompiledComponent::usual_bytes
    } else {
        CompiledComponent::initial_bytes
    };
    let mut needed = segments(needed_bytes);
    let first = needed.next();
    let next_bytes: Vec<_> = needed.collect();
    let bytes = total_bytes(first.into_iter().chain(next_bytes.iter().copied()));
    let is_first = memory_queue.available_permits() > 0;
    if let Some(memory) = is_first.then(|| memory.try_acquire(bytes)).flatten() {
        return Ok(Some(AcquiredMemory { memory, next_bytes }));
    }
    let _queued = telemetry.metrics().request_queued();
    let waiting = async {
        let _first = memory_queue.acquire().await;
        memory.acquire(bytes).await
    };
    let acquired = timeout(function.settings().queue_timeout, waiting).await;
    let memory = acquired.map_err(|_| out_of_memory(context))?;
    Ok(Some(AcquiredMemory { memory, next_bytes }))
}

/// The needed memory of the instances of several segments, as that of one instance, in bytes.
pub(crate) fn total_bytes(segments: impl Iterator<Item = u64>) -> u64 {
    let all = segments.reduce(|all, bytes| {
        all.saturating_add(bytes)
            .saturating_add(memory_limit::INSTANCE_BYTES)
    });
    all.unwrap_or_default()
}

/// The rejection of a request that the server has no memory for.
pub(crate) fn out_of_memory(context: &Context) -> GuestError {
    context.shared.memory.count_rejection();
    GuestError::Rejected(Rejection::OutOfMemory)
}
