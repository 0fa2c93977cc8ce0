//! One version of a function, ready to serve.

use std::borrow::Borrow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::{fmt, iter};

use engine::{AdapterUse, Compiled, CompiledComponent, Job, SegmentName, WasiVersion};
use http::HeaderValue;
use memory_limit::{FunctionMemory, MemoryLimit};
use telemetry::FunctionTelemetry;
use telemetry::metrics::ActiveVersion;

use super::config::{FunctionConfig, MiddlewareConfig, ResolvedSettings};
use super::request_limits::RequestLimits;
use super::route::{self, Route};

/// One version of a function, ready to serve. It lives until its last request ends.
pub struct Function {
    /// One per worker, or one for all.
    apps: Box<[Arc<CompiledComponent>]>,
    /// The next handler of its middleware, where the server connects them.
    next: Option<Arc<Function>>,
    /// The parts of this segment. None if the function has no other segment.
    segment: Option<SegmentName>,
    request_limits: RequestLimits,
    telemetry: Arc<FunctionTelemetry>,
    /// The SHA-256 of its own component.
    version: Box<str>,
    /// The source that it was compiled from. None for the single component of a server.
    source: Option<Source>,
    /// The configured middleware in front of it.
    middleware: Vec<MiddlewareConfig>,
    /// None for the single component of a server, which sees requests unchanged.
    route: Option<Route>,
    /// Its settings. None for the single component of a server.
    settings: Option<Arc<ResolvedSettings>>,
    /// The value of `x-forwarded-prefix`.
    prefix: Option<HeaderValue>,
    is_paused: AtomicBool,
    /// Memory of its instances.
    memory: OnceLock<Arc<FunctionMemory>>,
}

/// The source that a function was compiled from.
pub(super) struct Source {
    /// The SHA-256 of its own component.
    version: String,
    /// Whether it is composed with an adapter.
    adapters: AdapterUse,
    /// The key of the compile job.
    key: String,
}

impl Source {
    /// The source of a function that this job `compiled`.
    pub(super) fn new(job: &Job, compiled: &Compiled) -> Self {
        let adapters = compiled.adapter_use();
        let component = job.component.as_ref();
        Self {
            version: component.map_or_else(String::new, |part| part.sha256.clone()),
            adapters,
            key: job.key(adapters),
        }
    }
}

/// A segment of a function, ready to serve.
pub(super) struct LoadedSegment {
    pub(super) app: CompiledComponent,
    pub(super) request_limits: RequestLimits,
    /// None if the function has no other segment.
    pub(super) name: Option<SegmentName>,
}

impl Function {
    /// The function of these segments, the outermost first, which were compiled from `source`. None
    /// without a segment.
    pub(super) fn of_chain(
        segments: Vec<LoadedSegment>,
        source: Source,
        config: &FunctionConfig,
        telemetry: &Arc<FunctionTelemetry>,
    ) -> Option<Self> {
        let inner_first = segments.into_iter().rev();
        let outermost = inner_first.fold(None, |next, segment| {
            let LoadedSegment {
                app,
                request_limits,
                name,
            } = segment;
            Some(Self {
                next: next.map(Arc::new),
                segment: name,
                ..Self::only(vec![app], request_limits, telemetry.clone())
            })
        })?;
        Some(Self {
            prefix: route::header(&config.route),
            route: Some(config.route.clone()),
            settings: Some(config.settings.clone()),
            version: source.version.as_str().into(),
            source: Some(source),
            middleware: config.middleware.clone(),
            ..outermost
        })
    }

    /// The single component of a server, which gets all requests unchanged.
    pub(super) fn only(
        apps: Vec<CompiledComponent>,
        request_limits: RequestLimits,
        telemetry: Arc<FunctionTelemetry>,
    ) -> Self {
        Self {
            version: apps[0].component().sha256.as_ref().into(),
            source: None,
            middleware: Vec::new(),
            next: None,
            segment: None,
            apps: apps.into_iter().map(Arc::new).collect(),
            request_limits,
            telemetry,
            route: None,
            settings: None,
            prefix: None,
            is_paused: AtomicBool::new(false),
            memory: OnceLock::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.app().component().name
    }

    /// The SHA-256 of its own component, which identifies the version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The version of WASI of the running component, without middleware in stores of its own.
    #[must_use]
    pub fn wasi(&self) -> WasiVersion {
        self.innermost().app().wasi_version()
    }

    /// The SHA-256 of the running component: its own, or the composition with its adapter and the
    /// middleware in the same store. The audit log has it.
    #[must_use]
    pub fn component(&self) -> &str {
        &self.innermost().app().component().sha256
    }

    /// The next handler of its middleware, where the server connects them.
    #[must_use]
    pub fn next(&self) -> Option<&Arc<Self>> {
        self.next.as_ref()
    }

    /// The function and its next handlers, the outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |function| function.next.as_deref())
    }

    /// The parts of this segment. None if the function has no other segment.
    #[must_use]
    pub fn segment(&self) -> Option<&SegmentName> {
        self.segment.as_ref()
    }

    fn innermost(&self) -> &Self {
        self.chain().last().unwrap_or(self)
    }

    /// The route of its requests. None for the single component of a server.
    #[must_use]
    pub fn route(&self) -> Option<&Route> {
        self.route.as_ref()
    }

    /// Whether an operator paused it.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// Pauses or resumes it.
    pub(super) fn set_paused(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
    }

    /// The lines of its log ring from this number on, and the number of the next line.
    #[must_use]
    pub fn lines(&self, number: u64) -> (Vec<String>, u64) {
        self.telemetry.metrics().log_ring().lines_from(number)
    }

    /// Attributes the metrics of the function to this version.
    pub fn count(&self) {
        let metrics = &self.telemetry.server().metrics;
        let version = active_version(&self.innermost().apps);
        metrics.activate(self.telemetry.metrics(), version);
    }

    /// Whether this configuration and this compile job would give the same function.
    pub(super) fn is(&self, config: &FunctionConfig, job: &Job) -> bool {
        let is_source = |source: &Source| source.key == job.key(source.adapters);
        self.source.as_ref().is_some_and(is_source)
            && self.middleware == config.middleware
            && self.route.as_ref() == Some(&config.route)
            && self.settings.as_ref() == Some(&config.settings)
    }

    /// Whether its requests go through the configured middleware, with any settings.
    pub(super) fn is_wrapped_as(&self, config: &FunctionConfig) -> bool {
        let own = self
            .middleware
            .iter()
            .map(|middleware| &middleware.component);
        own.eq(config.middleware_sources())
    }

    /// The component.
    pub fn app(&self) -> &Arc<CompiledComponent> {
        self.app_of(0)
    }

    /// The component, for the worker of this number.
    pub fn app_of(&self, thread: usize) -> &Arc<CompiledComponent> {
        &self.apps[thread % self.apps.len()]
    }

    /// Maximum number of concurrent instances on all workers together.
    pub fn max_instances(&self) -> u32 {
        self.apps.iter().map(|app| app.max_instances()).sum()
    }

    /// The account of its instances' memory within `limit`, which functions may share.
    pub fn memory(&self, limit: &Arc<MemoryLimit>, is_shared: bool) -> &Arc<FunctionMemory> {
        let new = || FunctionMemory::new(limit.clone(), is_shared);
        self.memory.get_or_init(new)
    }

    /// Limits of its requests.
    pub fn settings(&self) -> &RequestLimits {
        &self.request_limits
    }

    /// Telemetry of its requests.
    pub fn telemetry(&self) -> &Arc<FunctionTelemetry> {
        &self.telemetry
    }

    /// The value of `x-forwarded-prefix` for the guest.
    pub fn prefix(&self) -> Option<&HeaderValue> {
        self.prefix.as_ref()
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name())
            .field("version", &self.version())
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

/// What the metrics say of a component, which has one element of `apps` for each worker, or one for
/// all.
pub(super) fn active_version<A: Borrow<CompiledComponent>>(apps: &[A]) -> ActiveVersion {
    let first = apps[0].borrow();
    let max_instances = apps.iter().map(|app| app.borrow().max_instances());
    ActiveVersion {
        sha256: first.component().sha256.clone().into_owned(),
        wasi: first.wasi_version().as_str(),
        max_instances: max_instances.sum(),
    }
}
