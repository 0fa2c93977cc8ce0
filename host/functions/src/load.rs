//! The loader: from component bytes to a function that can serve.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use audit_log::AuditLog;
use engine::outbound::{Outbound, OutboundError};
use engine::{
    Artefact, Chain, CompileError, CompiledComponent, Compiler, ComponentEnv, Job, LoadError, Part,
    Segment, SegmentName, SharedRuntime,
};
use http::uri::PathAndQuery;
use telemetry::Telemetry;
use tokio::task::JoinError;

use super::component_file::ReadError;
use super::config::{FunctionConfig, FunctionSettings, FunctionsConfig};
use super::function::{Function, LoadedSegment, Source};
use super::store::StoreError;

/// The reason why a function cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// Its settings cannot be resolved.
    #[error("{0}")]
    Settings(String),
    /// It has neither a file nor a deployed version.
    #[error("missing component: deploy one, or set `component`")]
    NoComponent,
    /// The store cannot provide its version.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its middleware cannot be read.
    #[error("the middleware cannot be read: {0}")]
    Middleware(ReadError),
    /// It cannot be composed or compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It exceeds the limits or has imports that the host does not provide.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The client for its outbound requests cannot be set up.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// One of its segments cannot be served.
    #[error("{name}")]
    Segment {
        /// The segment.
        name: SegmentName,
        /// The reason.
        source: Box<FunctionError>,
    },
    /// Its first instance cannot be created.
    #[error("cannot create an instance: {0}")]
    Startup(String),
    /// Its response to the smoke request is not 2xx.
    #[error("smoke request `GET {path}` failed: {why}")]
    Smoke {
        /// The path of the request.
        path: PathAndQuery,
        /// The reason.
        why: String,
    },
    /// The server itself panicked.
    #[error("the server failed while it loaded the component: {0}")]
    Panicked(#[from] JoinError),
}

impl FunctionError {
    /// Adds the segment that the error is about, if there are several.
    pub(super) fn of_segment(self, name: Option<&SegmentName>) -> Self {
        match name {
            Some(name) => Self::Segment {
                name: name.clone(),
                source: self.into(),
            },
            None => self,
        }
    }

    /// Whether an incomplete file, which is still being written, may be the cause.
    pub(super) fn may_be_incomplete_file(&self) -> bool {
        match self {
            Self::Read(_)
            | Self::Middleware(_)
            | Self::Compile(_)
            | Self::Load(_)
            | Self::Startup(_)
            | Self::Smoke { .. } => true,
            Self::Segment { source, .. } => source.may_be_incomplete_file(),
            Self::Settings(_)
            | Self::NoComponent
            | Self::Store(_)
            | Self::Outbound(_)
            | Self::Panicked(_) => false,
        }
    }
}

/// The reason why an adapter cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Its file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not an adapter.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The server itself panicked.
    #[error("the server failed while it loaded an adapter: {0}")]
    Panicked(#[from] JoinError),
}

/// Loads functions into the shared pool.
pub struct Loader {
    /// The pool of all functions.
    pub runtime: Arc<SharedRuntime>,
    /// The compiler, which starts compile children.
    pub compiler: Arc<Compiler>,
    /// The audit log of guests.
    pub audit: AuditLog,
    /// Metrics, access log and traces.
    pub telemetry: Telemetry,
    /// Maximum size of a component file, in bytes.
    pub max_component_bytes: u64,
}

/// Reads the configured adapters.
///
/// # Errors
///
/// Fails if one of them cannot be read.
pub(super) fn read_adapters(
    functions_config: &FunctionsConfig,
    max_bytes: u64,
) -> Result<Vec<Part>, ReadError> {
    let sources = functions_config.adapters.iter();
    sources
        .map(|source| Ok(Part::new(source.stem(), source.read(None, max_bytes)?)))
        .collect()
}

/// Checks in a compile child that these components are adapters.
///
/// # Errors
///
/// Fails if one of them is not an adapter.
pub(super) async fn check_adapters(
    compiler: &Compiler,
    adapters: &[Part],
) -> Result<(), CompileError> {
    if adapters.is_empty() {
        return Ok(());
    }
    let job = Job {
        component: None,
        adapts: true,
        adapters: adapters.to_vec(),
        middleware: Vec::new(),
        has_next: false,
    };
    compiler.check(&job).await.map(drop)
}

/// Reads the component of a function.
///
/// # Errors
///
/// Fails if the function has no component, or it cannot be read.
pub(super) fn read_component(
    config: &FunctionConfig,
    max_bytes: u64,
) -> Result<Part, FunctionError> {
    let Some(component) = &config.component else {
        return Err(FunctionError::NoComponent);
    };
    let bytes = component.read(config.folder.as_deref(), max_bytes)?;
    Ok(Part::function(bytes))
}

/// `component` behind the configured middleware.
///
/// # Errors
///
/// Fails if the middleware cannot be read.
pub(super) fn chain(
    component: Part,
    config: &FunctionConfig,
    adapters: &[Part],
    max_bytes: u64,
) -> Result<Chain, FunctionError> {
    let sources = config.middleware_sources();
    let read = sources.map(|source| Ok(Part::new(source.stem(), source.read(None, max_bytes)?)));
    let job = Job {
        component: Some(component),
        adapts: true,
        adapters: adapters.to_vec(),
        middleware: read
            .collect::<Result<_, _>>()
            .map_err(FunctionError::Middleware)?,
        has_next: false,
    };
    let middleware = config.middleware.iter().enumerate();
    let separate = middleware.filter(|(_, middleware)| middleware.settings.is_some());
    Ok(Chain {
        job,
        separate: separate.map(|(number, _)| number).collect(),
    })
}

/// The settings of the middleware of this number, or of the function.
///
/// # Errors
///
/// Fails if they are invalid.
pub(super) fn settings_of(
    config: &FunctionConfig,
    middleware: Option<usize>,
) -> Result<&FunctionSettings, FunctionError> {
    let settings = config.settings_of(middleware);
    settings.map_err(|why| FunctionError::Settings(why.to_owned()))
}

impl Loader {
    /// Loads a function from the compiled segments of its chain, of which each but the last has the
    /// following as its next handler.
    ///
    /// # Errors
    ///
    /// Fails if an artefact does not fit the pool, or the settings are invalid.
    pub(super) fn load(
        &self,
        config: &FunctionConfig,
        job: &Job,
        segments: &[Segment<Artefact>],
    ) -> Result<Function, FunctionError> {
        let mut apps = Vec::new();
        let mut envs = BTreeMap::new();
        for segment in segments {
            let app = self.load_segment(config, segment, &mut envs);
            apps.push(app.map_err(|error| error.of_segment(segment.name.as_ref()))?);
        }
        let Some((innermost, last)) = apps.last().zip(segments.last()) else {
            return Err(FunctionError::NoComponent);
        };
        let metrics = self.telemetry.metrics.prepare(&config.name);
        let component = innermost.app.component().clone();
        let telemetry = self.telemetry.for_component(component, metrics);
        let source = Source::new(job, last.content.compiled());
        Function::of_chain(apps, source, config, &telemetry).ok_or(FunctionError::NoComponent)
    }

    /// Loads one segment. Segments with the same settings share one of `envs`.
    fn load_segment(
        &self,
        config: &FunctionConfig,
        segment: &Segment<Artefact>,
        envs: &mut BTreeMap<Option<usize>, ComponentEnv>,
    ) -> Result<LoadedSegment, FunctionError> {
        let settings = settings_of(config, segment.settings)?;
        let env = match envs.entry(segment.settings) {
            Entry::Occupied(env) => env.into_mut(),
            Entry::Vacant(empty) => empty.insert(self.env(&config.name, settings.clone())?),
        };
        Ok(LoadedSegment {
            app: CompiledComponent::load_shared(&self.runtime, &segment.content, env.clone())?,
            request_limits: settings.serving,
            name: segment.name.clone(),
        })
    }

    /// The environment of a component of the function `name`.
    fn env(&self, name: &str, settings: FunctionSettings) -> Result<ComponentEnv, OutboundError> {
        let FunctionSettings {
            environment,
            config,
            quota,
            policy,
            limits,
            outbound,
            serving: _,
            smoke: _,
        } = settings;
        Ok(ComponentEnv {
            name: name.to_owned(),
            environment,
            config,
            audit: self.audit.with_policy(policy),
            quota,
            limits,
            outbound: Outbound::new(outbound)?.into(),
        })
    }
}
