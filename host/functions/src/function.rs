//! One version of a function.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use http::HeaderValue;

use super::component_source::ComponentSource;
use super::config::{FunctionConfig, ResolvedSettings};
use super::request_limits::RequestLimits;
use super::route::{self, Route};
use engine::{AdapterUse, Compiled, CompiledComponent, Job};
use memory_limit::{FunctionMemory, MemoryLimit};
use telemetry::FunctionTelemetry;

/// One version of a function, ready to serve. It lives as long as a request that began
/// with it.
pub struct Function {
    /// One for each thread that serves, or one for all.
    apps: Box<[Arc<CompiledComponent>]>,
    request_limits: RequestLimits,
    telemetry: Arc<FunctionTelemetry>,
    /// The SHA-256 of its own component.
    version: Box<str>,
    /// What it was compiled from, where there may be something else next.
    source: Option<Source>,
    /// The middleware that it is composed with, as declared.
    middleware: Vec<ComponentSource>,
    /// None for the only function of a server, which sees its requests as they come.
    route: Option<Route>,
    /// What was wanted of it, where there may be something else next.
    settings: Option<Arc<ResolvedSettings>>,
    /// What `x-forwarded-prefix` says.
    prefix: Option<HeaderValue>,
    is_paused: AtomicBool,
    /// What its instances hold.
    memory: OnceLock<Arc<FunctionMemory>>,
}

/// What a function was compiled from.
pub(super) struct Source {
    /// The SHA-256 of its own component.
    version: String,
    /// Whether it is composed with an adapter.
    adapters: AdapterUse,
    /// The key of the job.
    key: String,
}

impl Source {
    /// That of a function whose component was `compiled` by this job.
    pub(super) fn new(job: &Job, compiled: &Compiled) -> Self {
        let adapters = match compiled.adapter {
            Some(_) => AdapterUse::Used,
            None => AdapterUse::Unused,
        };
        let component = job.component.as_ref();
        Self {
            version: component.map_or_else(String::new, |part| part.sha256.clone()),
            adapters,
            key: job.key(adapters),
        }
    }
}

impl Function {
    /// `app`, made from `source` as it was `config`, with all that is told of it going to
    /// `telemetry`.
    pub(super) fn new(
        app: CompiledComponent,
        source: Source,
        config: &FunctionConfig,
        request_limits: RequestLimits,
        telemetry: Arc<FunctionTelemetry>,
    ) -> Self {
        Self {
            prefix: route::header(&config.route),
            route: Some(config.route.clone()),
            settings: Some(config.settings.clone()),
            version: source.version.as_str().into(),
            source: Some(source),
            middleware: config.middleware.clone(),
            ..Self::only(vec![app], request_limits, telemetry)
        }
    }

    /// The only function of a server, which gets all requests as they come.
    pub(super) fn only(
        apps: Vec<CompiledComponent>,
        request_limits: RequestLimits,
        telemetry: Arc<FunctionTelemetry>,
    ) -> Self {
        Self {
            version: apps[0].component().sha256.as_ref().into(),
            source: None,
            middleware: Vec::new(),
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

    /// The SHA-256 of its own component, which tells its versions apart.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The SHA-256 of what runs: of its own component, or of the composition with its adapter
    /// and its middleware. The audit log names it.
    #[must_use]
    pub fn component(&self) -> &str {
        &self.app().component().sha256
    }

    /// Where its requests come from. None for the only function of a server.
    #[must_use]
    pub fn route(&self) -> Option<&Route> {
        self.route.as_ref()
    }

    /// Whether an operator wants it to answer no requests.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// Lets it answer no requests from now on, or all of them again.
    pub(super) fn set_paused(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
    }

    /// The lines that it printed, from this number on, as far as they are kept, and the
    /// number of the next.
    #[must_use]
    pub fn lines(&self, number: u64) -> (Vec<String>, u64) {
        self.telemetry.metrics().log_ring().lines_from(number)
    }

    /// Tells the numbers of the function as those of this version from now on.
    pub fn count(&self) {
        let metrics = &self.telemetry.server().metrics;
        let (component, max_instances) = (self.app().component(), self.max_instances());
        metrics.activate(self.telemetry.metrics(), component, max_instances);
    }

    /// Whether it is what would come of `config` with what `job` compiles.
    pub(super) fn is(&self, config: &FunctionConfig, job: &Job) -> bool {
        let is_source = |source: &Source| source.key == job.key(source.adapters);
        self.source.as_ref().is_some_and(is_source)
            && self.is_wrapped_as(config)
            && self.route.as_ref() == Some(&config.route)
            && self.settings.as_ref() == Some(&config.settings)
    }

    /// Whether its requests go through the middleware that is declared.
    pub(super) fn is_wrapped_as(&self, config: &FunctionConfig) -> bool {
        self.middleware == config.middleware
    }

    /// The component.
    pub fn app(&self) -> &Arc<CompiledComponent> {
        self.app_of(0)
    }

    /// The component, for the thread of this number.
    pub fn app_of(&self, thread: usize) -> &Arc<CompiledComponent> {
        &self.apps[thread % self.apps.len()]
    }

    /// How many instances all threads may have of it at the same time.
    pub fn max_instances(&self) -> u32 {
        self.apps.iter().map(|app| app.max_instances()).sum()
    }

    /// The account of what its instances hold of the memory that `limit` allows, which it may
    /// share with other functions.
    pub fn memory(&self, limit: &Arc<MemoryLimit>, is_shared: bool) -> &Arc<FunctionMemory> {
        let new = || FunctionMemory::new(limit.clone(), is_shared);
        self.memory.get_or_init(new)
    }

    /// How its requests are served.
    pub fn settings(&self) -> &RequestLimits {
        &self.request_limits
    }

    /// What is told of its requests.
    pub fn telemetry(&self) -> &Arc<FunctionTelemetry> {
        &self.telemetry
    }

    /// What `x-forwarded-prefix` says to the guest.
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
