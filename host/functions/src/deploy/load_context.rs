//! Loading one function: reading files and starting instances on threads that may take their
//! time, compiling in a child.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::super::config::FunctionConfig;
use super::super::function::Function;
use super::super::load::{self, FunctionError, Loader};
use super::super::record::Record;
use super::super::store::Store;
use super::super::version_selection::VersionSelection;
use super::super::warm::warm;
use engine::{Artefact, Job, Part};

/// What it takes to load a function.
#[derive(Clone)]
pub(super) struct LoadContext {
    pub(super) loader: Arc<Loader>,
    pub(super) adapters: Arc<[Part]>,
    pub(super) store: Option<Arc<Store>>,
}

/// A function that is ready, and what is to be noted when it is served.
pub(super) struct LoadedFunction {
    pub(super) function: Function,
    pub(super) record: Record,
}

/// What has come of one function.
#[derive(Default)]
pub(super) struct LoadOutcome {
    /// What is to be served instead of what is.
    pub(super) loaded: Option<LoadedFunction>,
    /// Why that is not what is wanted.
    pub(super) problem: Option<FunctionError>,
}

/// Does what takes time on a thread for that.
pub(super) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FunctionError> + Send + 'static,
) -> Result<T, FunctionError> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(FunctionError::Panicked(error.to_string())))
}

impl LoadContext {
    /// Loads what should run of `config`, if that differs from what is `active`.
    pub(super) async fn load_desired(
        self,
        config: FunctionConfig,
        active: Option<Arc<Function>>,
    ) -> LoadOutcome {
        let (desired, store) = (config.clone(), self.store.clone());
        let max_bytes = self.loader.max_component_bytes;
        // What runs goes on if it is what is wanted but for its version.
        let keeps_running = active.as_ref();
        let keeps_running = keeps_running.is_some_and(|active| active.is_wrapped_as(&config));
        let pick = move || {
            Ok(VersionSelection::of(
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
                return LoadOutcome {
                    loaded: None,
                    problem: Some(error),
                };
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
            .load(config.clone(), component, record, active.clone());
        let error = match load.await {
            Ok(loaded) => return LoadOutcome { loaded, problem },
            Err(error) => error,
        };
        let loaded = match last {
            Some((last, record)) => self.load(config, last, record, active).await,
            None => Ok(None),
        };
        LoadOutcome {
            // What is wrong with the file is reported.
            loaded: loaded.unwrap_or_default(),
            problem: Some(problem.unwrap_or(error)),
        }
    }

    /// Composes a version with what `config` wants around it and loads that. Writes the
    /// version to the disk, where nothing names it yet. None if it is active.
    pub(super) async fn load(
        self,
        config: FunctionConfig,
        component: Part,
        record: Record,
        active: Option<Arc<Function>>,
    ) -> Result<Option<LoadedFunction>, FunctionError> {
        let adapters = self.adapters.clone();
        let (desired, max_bytes) = (config.clone(), self.loader.max_component_bytes);
        let job = move || load::job(component, &desired, &adapters, max_bytes);
        let job = run_blocking(job).await?;
        let version = job.component.as_ref().map(|part| &part.sha256);
        let is_active = |version: &String| record.is_active(version);
        let is_recorded = self.store.is_none() || version.is_some_and(is_active);
        if is_recorded && active.is_some_and(|active| active.is(&config, &job)) {
            return Ok(None);
        }
        let is_new = record.active.is_none();
        let compiler = &self.loader.compiler;
        let artefact = compiler.compile(&job, is_new).await?;
        run_blocking(move || self.start(&config, &job, &artefact, record)).await
    }

    /// Starts an instance of a version that was compiled.
    fn start(
        &self,
        config: &FunctionConfig,
        job: &Job,
        artefact: &Artefact,
        mut record: Record,
    ) -> Result<Option<LoadedFunction>, FunctionError> {
        if let Some(adapter) = &artefact.compiled().adapter {
            let (name, sha256) = (&config.name, &artefact.compiled().sha256);
            tracing::debug!(function = name, adapter, sha256, "composed");
        }
        let function = self.loader.load(config, job, artefact)?;
        function.set_paused(record.paused);
        warm(&function, config.smoke())?;
        if let (Some(store), Some(component)) = (&self.store, &job.component) {
            store.add(&config.name, &component.sha256, &component.bytes)?;
        }
        record.activate(function.version());
        Ok(Some(LoadedFunction { function, record }))
    }
}
