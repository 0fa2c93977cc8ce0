//! Loading one function: reading files and starting instances on threads that may take their
//! time, compiling in a child.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::super::declaration::Declared;
use super::super::function::Function;
use super::super::load::{self, FunctionError, Loader};
use super::super::pick::Pick;
use super::super::record::Record;
use super::super::store::Store;
use super::super::warm::warm;
use engine::{Artefact, Job, Part};

/// What it takes to load a function.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) loader: Arc<Loader>,
    pub(super) adapters: Arc<[Part]>,
    pub(super) store: Option<Arc<Store>>,
}

/// A function that is ready, and what is to be noted when it is served.
pub(super) struct Loaded {
    pub(super) function: Function,
    pub(super) record: Record,
}

/// What has come of one function.
#[derive(Default)]
pub(super) struct Change {
    /// What is to be served instead of what is.
    pub(super) loaded: Option<Loaded>,
    /// Why that is not what is wanted.
    pub(super) problem: Option<FunctionError>,
}

/// Does what takes time on a thread for that.
pub(super) async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FunctionError> + Send + 'static,
) -> Result<T, FunctionError> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(FunctionError::Panicked(error.to_string())))
}

impl Means {
    /// Loads what should run of `declared`, if that differs from what is `active`.
    pub(super) async fn change(self, declared: Declared, active: Option<Arc<Function>>) -> Change {
        let (wanted, store) = (declared.clone(), self.store.clone());
        let max_bytes = self.loader.max_component_bytes;
        // What runs goes on if it is what is wanted but for its version.
        let goes_on = active.as_ref();
        let goes_on = goes_on.is_some_and(|active| active.is_wrapped_as(&declared));
        let pick = move || Ok(Pick::of(&wanted, store.as_deref(), max_bytes, goes_on));
        let picked = elsewhere(pick).await;
        let Pick {
            own,
            record,
            problem,
            last,
        } = match picked {
            Ok(pick) => pick,
            Err(error) => {
                return Change {
                    loaded: None,
                    problem: Some(error),
                };
            }
        };
        let Some(component) = own else {
            return Change {
                loaded: None,
                problem,
            };
        };
        let load = self
            .clone()
            .load(declared.clone(), component, record, active.clone());
        let error = match load.await {
            Ok(loaded) => return Change { loaded, problem },
            Err(error) => error,
        };
        let loaded = match last {
            Some((last, record)) => self.load(declared, last, record, active).await,
            None => Ok(None),
        };
        Change {
            // What is wrong with the file is reported.
            loaded: loaded.unwrap_or_default(),
            problem: Some(problem.unwrap_or(error)),
        }
    }

    /// Composes a version with what `declared` wants around it and loads that. Writes the
    /// version to the disk, where nothing names it yet. None if it is active.
    pub(super) async fn load(
        self,
        declared: Declared,
        component: Part,
        record: Record,
        active: Option<Arc<Function>>,
    ) -> Result<Option<Loaded>, FunctionError> {
        let adapters = self.adapters.clone();
        let (wanted, max_bytes) = (declared.clone(), self.loader.max_component_bytes);
        let job = move || load::job(component, &wanted, &adapters, max_bytes);
        let job = elsewhere(job).await?;
        let version = job.component.as_ref().map(|part| &part.sha256);
        let is_active = |version: &String| record.is_active(version);
        let is_recorded = self.store.is_none() || version.is_some_and(is_active);
        if is_recorded && active.is_some_and(|active| active.is(&declared, &job)) {
            return Ok(None);
        }
        let is_new = record.active.is_none();
        let compiler = &self.loader.compiler;
        let artefact = compiler.compile(&job, is_new).await?;
        elsewhere(move || self.start(&declared, &job, &artefact, record)).await
    }

    /// Starts an instance of a version that was compiled.
    fn start(
        &self,
        declared: &Declared,
        job: &Job,
        artefact: &Artefact,
        mut record: Record,
    ) -> Result<Option<Loaded>, FunctionError> {
        if let Some(adapter) = &artefact.compiled().adapter {
            let (name, sha256) = (&declared.name, &artefact.compiled().sha256);
            tracing::debug!(function = name, adapter, sha256, "composed");
        }
        let function = self.loader.load(declared, job, artefact)?;
        function.set_paused(record.paused);
        warm(&function, declared.smoke())?;
        if let (Some(store), Some(component)) = (&self.store, &job.component) {
            store.add(&declared.name, &component.sha256, &component.bytes)?;
        }
        record.activate(function.version());
        Ok(Some(Loaded { function, record }))
    }
}
