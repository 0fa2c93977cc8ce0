//! Loading one function, on a thread that may take its time.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::super::adapter::Adapters;
use super::super::declaration::Declared;
use super::super::function::Function;
use super::super::load::{self, FunctionError, Loader, OwnComponent};
use super::super::pick::Pick;
use super::super::record::Record;
use super::super::store::Store;
use super::super::warm::warm;

/// What it takes to load a function.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) loader: Arc<Loader>,
    pub(super) adapters: Arc<Adapters>,
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

/// Loads on a thread that may take its time.
pub(super) async fn load_elsewhere(
    load: impl FnOnce() -> Result<Option<Loaded>, FunctionError> + Send + 'static,
) -> Result<Option<Loaded>, FunctionError> {
    spawn_blocking(load)
        .await
        .unwrap_or_else(|error| Err(FunctionError::Panicked(error.to_string())))
}

impl Means {
    /// Loads what should run of `declared`, if that differs from what is `active`.
    pub(super) async fn change(self, declared: Declared, active: Option<Arc<Function>>) -> Change {
        let load = move || {
            let (store, max_bytes) = (self.store.as_deref(), self.loader.max_component_bytes);
            // What runs goes on if it is what is wanted but for its version.
            let goes_on = active.as_ref();
            let goes_on = goes_on.is_some_and(|active| active.is_wrapped_as(&declared));
            let Pick {
                own,
                record,
                problem,
            } = Pick::of(&declared, store, max_bytes, goes_on);
            let Some(own) = own else {
                return Change {
                    loaded: None,
                    problem,
                };
            };
            match self.load(&declared, own, record, active.as_deref()) {
                Ok(loaded) => Change { loaded, problem },
                Err(error) => Change {
                    loaded: None,
                    problem: Some(problem.unwrap_or(error)),
                },
            }
        };
        spawn_blocking(load).await.unwrap_or_else(|error| Change {
            loaded: None,
            problem: Some(FunctionError::Panicked(error.to_string())),
        })
    }

    /// Composes a version with what `declared` wants around it and loads that. Writes the
    /// version to the disk, where nothing names it yet. None if it is active.
    pub(super) fn load(
        &self,
        declared: &Declared,
        own: OwnComponent,
        mut record: Record,
        active: Option<&Function>,
    ) -> Result<Option<Loaded>, FunctionError> {
        let OwnComponent { bytes, sha256 } = own;
        let (runtime, max_bytes) = (&self.loader.runtime, self.loader.max_component_bytes);
        // The version is kept as well.
        let kept = self.store.is_some().then(|| bytes.clone());
        let source = load::composed(bytes, declared, &self.adapters, Some(runtime), max_bytes)?;
        if active.is_some_and(|active| active.is(declared, &sha256, &source.digest))
            && (self.store.is_none() || record.is_active(&sha256))
        {
            return Ok(None);
        }
        if let Some(adapter) = &source.adapter {
            let name = &declared.name;
            tracing::debug!(function = name, adapter, version = sha256, "composed");
        }
        let function = self.loader.load(declared, &sha256, &source)?;
        function.set_paused(record.paused);
        warm(&function, declared.smoke())?;
        if let Some((store, bytes)) = self.store.as_ref().zip(kept) {
            store.add(&declared.name, &sha256, &bytes)?;
        }
        record.activate(&sha256);
        Ok(Some(Loaded { function, record }))
    }
}
