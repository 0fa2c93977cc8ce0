//! From files to a function that can serve.

use std::sync::Arc;

use audit_log::AuditLog;
use http::uri::PathAndQuery;

use super::component_file::ReadError;
use super::config::{FunctionConfig, FunctionSettings, FunctionsConfig};
use super::function::{Function, Source};
use super::store::StoreError;
use engine::outbound::{Outbound, OutboundError};
use engine::{
    Artefact, CompileError, CompiledComponent, Compiler, ComponentEnv, Job, LoadError, Part,
    SharedRuntime,
};
use telemetry::Telemetry;

/// What the component of a function is called in a composition. It does not depend on the name
/// of the function, so that equal components make equal compositions.
const FUNCTION: &str = "function";

/// Why a function cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// What the operator says about it is wrong.
    #[error("{0}")]
    Settings(String),
    /// Nobody has deployed anything, and it has no file.
    #[error("there is no component: deploy one, or name its file")]
    NoComponent,
    /// What was deployed is not on the disk as it should be.
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
    /// It cannot run here.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It cannot send the requests that it may.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// Its first instance failed.
    #[error("an instance of it cannot begin: {0}")]
    Startup(String),
    /// It did not answer its first request as it should.
    #[error("it fails its smoke request `GET {path}`: {why}")]
    Smoke {
        /// What was asked.
        path: PathAndQuery,
        /// What is wrong with the answer.
        why: String,
    },
    /// The server itself failed at it.
    #[error("the server failed while it loaded the component: {0}")]
    Panicked(String),
}

impl FunctionError {
    /// Whether that may be so because a file is still being written.
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

/// Why an adapter cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Its file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not an adapter.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The server itself failed at it.
    #[error("the server failed while it loaded an adapter: {0}")]
    Panicked(String),
}

/// Makes functions out of files.
pub struct Loader {
    /// The pool that they share.
    pub runtime: Arc<SharedRuntime>,
    /// What compiles them.
    pub compiler: Arc<Compiler>,
    /// Where their entries go.
    pub audit: AuditLog,
    /// Where all that is told about them goes.
    pub telemetry: Telemetry,
    /// How large a file may be.
    pub max_component_bytes: u64,
}

/// Reads the adapters that `functions_config` names.
///
/// # Errors
///
/// Fails if one of them cannot be read, or two have the same name.
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
/// Fails if one of them is not.
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
    };
    compiler.check(&job).await.map(drop)
}

/// Reads the component of a function.
///
/// # Errors
///
/// Fails if there is none, or it cannot be read.
pub(super) fn read_component(
    config: &FunctionConfig,
    max_bytes: u64,
) -> Result<Part, FunctionError> {
    let Some(component) = &config.component else {
        return Err(FunctionError::NoComponent);
    };
    let bytes = component.read(config.folder.as_deref(), max_bytes)?;
    Ok(function_part(bytes))
}

/// The component of a function in `bytes`.
pub(super) fn function_part(bytes: Vec<u8>) -> Part {
    Part::new(FUNCTION, bytes)
}

/// What has to be compiled so that `component` serves HTTP behind the middleware of the
/// function that was `config`.
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
    })
}

impl Loader {
    /// Makes a function of the artefact of its component.
    ///
    /// # Errors
    ///
    /// Says why it cannot be served.
    pub(super) fn load(
        &self,
        function: &FunctionConfig,
        job: &Job,
        artefact: &Artefact,
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
        let app = CompiledComponent::load_shared(&self.runtime, artefact, env)?;
        let metrics = &self.telemetry.metrics;
        let metrics = metrics.prepare(app.component(), app.max_instances());
        let telemetry = self
            .telemetry
            .for_component(app.component().clone(), metrics);
        let source = Source::new(job, artefact.compiled());
        Ok(Function::new(app, source, function, serving, telemetry))
    }
}
