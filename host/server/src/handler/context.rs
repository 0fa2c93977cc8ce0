//! The state that requests share.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use functions::Functions;
use memory_limit::MemoryLimit;
use telemetry::{FunctionTelemetry, Telemetry};

use crate::Settings;
use crate::handler::router::Router;
use crate::scheduling::crowding::Crowding;
use crate::scheduling::offload;
use crate::scheduling::pace::{EventLoop, Pace};
use crate::transport::socket::ReadBuffer;

/// Size of the read buffer that all connections of a worker share, in bytes.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// What all workers share.
#[derive(Clone)]
pub(crate) struct ServerContext {
    pub(crate) functions: Arc<Functions>,
    pub(crate) settings: Settings,
    pub(crate) telemetry: Telemetry,
    /// Telemetry of requests without a function.
    pub(crate) unrouted: Arc<FunctionTelemetry>,
    /// The threads for CPU-bound guests.
    pub(crate) offload: offload::Handle,
    /// Whether workers are crowded.
    pub(crate) crowding: Arc<Crowding>,
    pub(crate) memory: Arc<MemoryLimit>,
}

/// What the requests of one worker share.
pub(crate) struct WorkerContext {
    pub(crate) settings: Settings,
    pub(crate) router: Router,
    /// The threads for CPU-bound guests.
    pub(crate) offload: offload::Handle,
    pub(crate) read_buffer: ReadBuffer,
    pub(crate) telemetry: Telemetry,
    /// Telemetry of requests without a function.
    pub(crate) unrouted: Arc<FunctionTelemetry>,
    /// The pace of these requests.
    pub(crate) unrouted_pace: Rc<Pace>,
    pub(crate) memory: Arc<MemoryLimit>,
}

impl WorkerContext {
    /// The context of the worker `thread`.
    pub(crate) fn new(
        thread: usize,
        common: ServerContext,
        event_loop: &Rc<EventLoop>,
    ) -> Rc<Self> {
        let ServerContext {
            functions,
            settings,
            telemetry,
            unrouted,
            offload,
            memory,
            ..
        } = common;
        let threads = settings.threads.get();
        let shared_instances = functions.shared_instances();
        Rc::new(Self {
            router: Router::new(
                functions.changes(),
                shared_instances,
                thread,
                threads,
                memory.clone(),
                event_loop.clone(),
            ),
            offload,
            read_buffer: Rc::new(RefCell::new(vec![0; READ_BUFFER_BYTES].into())),
            settings,
            telemetry,
            unrouted,
            unrouted_pace: Pace::new(event_loop.clone()),
            memory,
        })
    }
}
