//! The loader: from component bytes to a function that can serve.

use std::sync::Arc;

use audit_log::AuditLog;
use engine::outbound::{Outbound, OutboundError};
use engine::{
    Artefact, CompileError, CompiledComponent, Compiler, ComponentEnv, Job, LoadError, Part,
    SharedRuntime,
};
use http::uri::PathAndQuery;
use telemetry::Telemetry;
use tokio::task::JoinError;

use super::component_file::ReadError;
use super::config::{FunctionConfig, FunctionSettings, FunctionsConfig};
use super::function::{Function, Source};
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
    /// Whether an incomplete file, which is still being written, may be the cause.
    pub(super) fn may_be_incomplete_file(&self) -> bool {
        match self {
            Self::Read(_)
            | Self::Middleware(_)
            | Self::Compile(_)
            | Self::Load(_)
            | Self::Startup(_)
            | Self::Smoke { .. } => true,
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

/// The compile job for `component` behind the configured middleware.
///
/// # Errors
///
/// Fails if the middleware cannot be read.
pub(super) fn job(
    component: Part,
    config: &FunctionConfig,
    adapters: &[Part],
    max_bytes: u64,
) -> Result<Job, FunctionError> {
    let sources = config.middleware.iter();
    let read = sources.map(|source| Ok(Part::new(source.stem(), source.read(None, max_bytes)?)));
    Ok(Job {
        component: Some(component),
        adapts: true,
        adapters: adapters.to_vec(),
        middleware: read
            .collect::<Result<_, _>>()
            .map_err(FunctionError::Middleware)?,
        has_next: false,
    })
}

impl Loader {
    /// Loads a function from its compiled artefacts, of which each but the last is middleware that
    /// has the following as its next handler.
    ///
    /// # Errors
    ///
    /// Fails if an artefact does not fit the pool, or the settings are invalid.
    pub(super) fn load(
        &self,
        function: &FunctionConfig,
        job: &Job,
        artefacts: &[Artefact],
    ) -> Result<Function, FunctionError> {
        let FunctionSettings {
            environment,
            config,
            quota,
            policy,
            limits,
            outbound,
            serving,
            smoke: _,
        } = match &*function.settings {
            Ok(settings) => settings.clone(),
            Err(why) => return Err(FunctionError::Settings(why.clone())),
        };
        let env = ComponentEnv {
            name: function.name.clone(),
            environment,
            config,
            audit: self.audit.with_policy(policy),
            quota,
            limits,
            outbound: Outbound::new(outbound)?.into(),
        };
        let load = |artefact| CompiledComponent::load_shared(&self.runtime, artefact, env.clone());
        let apps: Result<Vec<_>, _> = artefacts.iter().map(load).collect();
        let mut apps = apps?.into_iter().rev();
        let (Some(innermost), Some(last)) = (apps.next(), artefacts.last()) else {
            return Err(FunctionError::NoComponent);
        };
        let metrics = self.telemetry.metrics.prepare(&function.name);
        let component = innermost.component().clone();
        let telemetry = self.telemetry.for_component(component, metrics);
        let (mut outermost, mut next) = (innermost, None);
        for outer in apps {
            let inner = std::mem::replace(&mut outermost, outer);
            let function = Function::segment(inner, next, serving, telemetry.clone());
            next = Some(Arc::new(function));
        }
        let source = Source::new(job, last.compiled());
        Ok(Function::new(
            outermost, next, source, function, serving, telemetry,
        ))
    }
}
