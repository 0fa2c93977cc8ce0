//! The load of one function: reading files and warming up on blocking threads, compiling in a
//! child process.

use std::sync::Arc;

use engine::{Artefact, Job, Part, Segment};
use tokio::task::{JoinError, spawn_blocking};

use super::super::config::FunctionConfig;
use super::super::function::Function;
use super::super::load::{self, FunctionError, Loader};
use super::super::record::Record;
use super::super::store::Store;
use super::super::version_selection::VersionSelection;
use super::super::warm::warm;

/// The shared resources of a load.
#[derive(Clone)]
pub(super) struct LoadContext {
    pub(super) loader: Arc<Loader>,
    pub(super) adapters: Arc<[Part]>,
    pub(super) store: Option<Arc<Store>>,
}

/// A function that is ready, and the record to persist on its activation.
pub(super) struct LoadedFunction {
    pub(super) function: Function,
    pub(super) record: Record,
}

/// The result of loading the configuration of one function.
#[derive(Default)]
pub(super) struct LoadOutcome {
    /// The version to activate. None: no change.
    pub(super) loaded: Option<LoadedFunction>,
    /// The error of the configured version.
    pub(super) problem: Option<FunctionError>,
}

impl LoadOutcome {
    /// The outcome of a load that failed.
    pub(super) fn failed(error: FunctionError) -> Self {
        Self {
            loaded: None,
            problem: Some(error),
        }
    }
}

/// Runs blocking work on a blocking thread.
pub(super) async fn run_blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    spawn_blocking(work).await?
}

impl LoadContext {
    /// Loads the version to run with this configuration, if it differs from the `active` one.
    pub(super) async fn load_desired(
        self,
        config: FunctionConfig,
        active: Option<Arc<Function>>,
    ) -> LoadOutcome {
        let (desired, store) = (config.clone(), self.store.clone());
        let max_bytes = self.loader.max_component_bytes;
        // The running version stays if only its version differs from the configuration.
        let keeps_running = active.as_ref();
        let keeps_running = keeps_running.is_some_and(|active| active.is_wrapped_as(&config));
        let pick = move || {
            Ok::<_, FunctionError>(VersionSelection::of(
                &desired,
                store.as_deref(),
                max_bytes,
                keeps_running,
            ))
        };
        let picked = run_blocking(pick).await;
        let VersionSelection {
            own,
            record,
            problem,
            last,
        } = match picked {
            Ok(pick) => pick,
            Err(error) => {
                return LoadOutcome::failed(error);
            }
        };
        let Some(component) = own else {
            return LoadOutcome {
                loaded: None,
                problem,
            };
        };
        let load = self
            .clone()
            .load_version(config.clone(), component, record, active.clone());
        let error = match load.await {
            Ok(loaded) => return LoadOutcome { loaded, problem },
            Err(error) => error,
        };
        let loaded = match last {
            Some((last, record)) => self.load_version(config, last, record, active).await,
            None => Ok(None),
        };
        LoadOutcome {
            // The error of the file takes precedence.
            loaded: loaded.unwrap_or_default(),
            problem: Some(problem.unwrap_or(error)),
        }
    }

    /// Composes a version with its adapter and middleware, loads it and adds it to the store, where
    /// no record has it yet. None if it is active.
    pub(super) async fn load_version(
        self,
        config: FunctionConfig,
        component: Part,
        record: Record,
        active: Option<Arc<Function>>,
    ) -> Result<Option<LoadedFunction>, FunctionError> {
        let adapters = self.adapters.clone();
        let (desired, max_bytes) = (config.clone(), self.loader.max_component_bytes);
        let read = move || load::chain(component, &desired, &adapters, max_bytes);
        let chain = run_blocking(read).await?;
        let job = &chain.job;
        let version = job.component.as_ref().map(|part| &part.sha256);
        let is_active = |version: &String| record.is_active(version);
        let is_recorded = self.store.is_none() || version.is_some_and(is_active);
        if is_recorded && active.is_some_and(|active| active.is(&config, job)) {
            return Ok(None);
        }
        let is_new = record.active.is_none();
        let compiler = &self.loader.compiler;
        let segments = compiler.compile_chain(&chain, is_new).await?;
        run_blocking(move || self.start(&config, &chain.job, &segments, record)).await
    }

    /// Loads a compiled version and warms it up.
    fn start(
        &self,
        config: &FunctionConfig,
        job: &Job,
        segments: &[Segment<Artefact>],
        mut record: Record,
    ) -> Result<Option<LoadedFunction>, FunctionError> {
        for compiled in segments.iter().map(|segment| segment.content.compiled()) {
            if let Some(adapter) = &compiled.adapter {
                let (name, sha256) = (&config.name, &compiled.sha256);
                tracing::debug!(function = name, adapter, sha256, "composed");
            }
        }
        let function = self.loader.load(config, job, segments)?;
        function.set_paused(record.paused);
        warm(&function, config.smoke())?;
        if let (Some(store), Some(component)) = (&self.store, &job.component) {
            store.add(&config.name, &component.sha256, &component.bytes)?;
        }
        record.activate(function.version());
        Ok(Some(LoadedFunction { function, record }))
    }
}
