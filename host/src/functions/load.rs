//! From a file to a function that can serve.

use std::sync::Arc;

use audit_log::AuditLog;
use http::uri::PathAndQuery;

use super::adapter::{AdaptError, AdapterError, Adapters};
use super::declaration::{Declaration, Declared, Settings};
use super::function::Function;
use super::middleware::{MiddlewareError, put_in_front};
use super::read::ReadError;
use super::store::StoreError;
use crate::guest::{App, LoadError, SharedRuntime, Surroundings, check_proposals, digest};
use crate::outbound::{Outbound, OutboundError};
use crate::telemetry::Telemetry;

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
    /// It serves no HTTP, and no adapter lets it.
    #[error(transparent)]
    Adapt(#[from] AdaptError),
    /// It cannot be put behind its middleware.
    #[error(transparent)]
    Middleware(#[from] MiddlewareError),
    /// It cannot run here.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It cannot send the requests that it may.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// Its first instance failed.
    #[error("an instance of it cannot begin: {0}")]
    Start(String),
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

/// Why an adapter cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Its file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is none.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The server itself failed at it.
    #[error("the server failed while it loaded an adapter: {0}")]
    Panicked(String),
}

/// A version of a function: its own component, before it is composed with an adapter and with
/// middleware.
pub(super) struct OwnComponent {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// The SHA-256 of the bytes.
    pub(super) sha256: String,
}

impl OwnComponent {
    /// The component in `bytes`.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            sha256: digest(&bytes),
            bytes,
        }
    }

    /// Reads the component that `declared` names.
    ///
    /// # Errors
    ///
    /// Fails if it names none, or it cannot be read.
    pub(super) fn read(declared: &Declared, max_bytes: u64) -> Result<Self, FunctionError> {
        let component = declared.component.as_ref();
        let component = component.ok_or(FunctionError::NoComponent)?;
        let bytes = component.read(declared.folder.as_deref(), max_bytes)?;
        Ok(Self::new(bytes))
    }
}

/// What runs of a function: a component that serves HTTP, before it is compiled.
pub struct Source {
    /// The bytes of the function's own component, or of the composition with its adapter and
    /// its middleware.
    pub bytes: Vec<u8>,
    /// The SHA-256 of the bytes.
    pub digest: String,
    /// The adapter.
    pub adapter: Option<String>,
}

/// Makes functions out of files.
pub struct Loader {
    /// The pool that they share.
    pub runtime: Arc<SharedRuntime>,
    /// Where their entries go.
    pub audit: AuditLog,
    /// Where all that is told about them goes.
    pub telemetry: Telemetry,
    /// How large a file may be.
    pub max_component_bytes: u64,
}

/// Reads and registers the adapters that `declaration` names.
///
/// # Errors
///
/// Fails if one of them is none.
pub fn adapters(declaration: &Declaration, max_bytes: u64) -> Result<Adapters, RegisterError> {
    let mut adapters = Adapters::default();
    for place in &declaration.adapters {
        adapters.add(&place.stem(), place.read(None, max_bytes)?)?;
    }
    Ok(adapters)
}

/// Reads the component of a function and lets it serve HTTP.
///
/// # Errors
///
/// Fails if it cannot be read, or no adapter fits.
pub fn source(
    declared: &Declared,
    adapters: &Adapters,
    runtime: Option<&SharedRuntime>,
    max_bytes: u64,
) -> Result<Source, FunctionError> {
    let own = OwnComponent::read(declared, max_bytes)?;
    composed(own.bytes, declared, adapters, runtime, max_bytes)
}

/// Lets the component in `bytes` serve HTTP, behind the middleware of the function that it
/// is for.
///
/// # Errors
///
/// Fails if no adapter fits, or the middleware does not.
pub(super) fn composed(
    bytes: Vec<u8>,
    declared: &Declared,
    adapters: &Adapters,
    runtime: Option<&SharedRuntime>,
    max_bytes: u64,
) -> Result<Source, FunctionError> {
    let source = adapted(bytes, adapters, runtime)?;
    if declared.middleware.is_empty() {
        return Ok(source);
    }
    let bytes = put_in_front(&declared.middleware, source.bytes, max_bytes)?;
    Ok(Source {
        digest: digest(&bytes),
        bytes,
        ..source
    })
}

/// Lets the component in `bytes` serve HTTP. One that was compiled for the `runtime` before
/// does that already, and is not looked at again.
fn adapted(
    bytes: Vec<u8>,
    adapters: &Adapters,
    runtime: Option<&SharedRuntime>,
) -> Result<Source, FunctionError> {
    let sha256 = digest(&bytes);
    if runtime.is_some_and(|runtime| runtime.knows(&bytes, &sha256)) {
        return Ok(Source {
            bytes,
            digest: sha256,
            adapter: None,
        });
    }
    check_proposals(&bytes)?;
    let (bytes, adapter) = adapters.adapt(bytes)?;
    Ok(Source {
        digest: digest(&bytes),
        bytes,
        adapter: adapter.map(ToOwned::to_owned),
    })
}

impl Loader {
    /// Checks and compiles what runs of a function, for its own component of the SHA-256
    /// `version`.
    ///
    /// # Errors
    ///
    /// Says why it cannot be served.
    pub fn load(
        &self,
        declared: &Declared,
        version: &str,
        source: &Source,
    ) -> Result<Function, FunctionError> {
        let Settings {
            environment,
            config,
            quota,
            policy,
            limits,
            outbound,
            serving,
            smoke: _,
        } = match &*declared.wish {
            Ok(settings) => settings.clone(),
            Err(why) => return Err(FunctionError::Settings(why.clone())),
        };
        let surroundings = Surroundings {
            name: declared.name.clone(),
            environment,
            config,
            audit: self.audit.with_policy(policy),
            quota,
            limits,
            outbound: Outbound::new(outbound)?.into(),
        };
        let app = App::load_into(&self.runtime, &source.bytes, surroundings)?;
        let metrics = &self.telemetry.metrics;
        let metrics = metrics.prepare(app.component(), app.max_instances());
        let telemetry = self.telemetry.of(app.component().clone(), metrics);
        Ok(Function::new(app, version, declared, serving, telemetry))
    }
}
