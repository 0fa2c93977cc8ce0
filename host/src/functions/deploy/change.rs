//! Loading one function, on a thread that may take its time.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::super::adapter::Adapters;
use super::super::declaration::Declared;
use super::super::function::Function;
use super::super::load::{self, FunctionError, Loader, Source};
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
            let (adapters, store) = (&self.adapters, self.store.as_deref());
            let pick = Pick::of(&declared, adapters, store, &self.loader, active.is_some());
            let Pick {
                source,
                record,
                problem,
            } = pick;
            let Some(source) = source else {
                return Change {
                    loaded: None,
                    problem,
                };
            };
            match self.load(&declared, &source, record, active.as_deref()) {
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

    /// Lets a component that was sent serve HTTP, as `declared` wants it.
    pub(super) fn composed(
        &self,
        bytes: Vec<u8>,
        declared: &Declared,
    ) -> Result<Source, FunctionError> {
        let (runtime, max_bytes) = (&self.loader.runtime, self.loader.max_component_bytes);
        load::composed(bytes, declared, &self.adapters, Some(runtime), max_bytes)
    }

    /// Loads a version, and writes it to the disk, where nothing names it yet. None if it
    /// is active.
    pub(super) fn load(
        &self,
        declared: &Declared,
        source: &Source,
        mut record: Record,
        active: Option<&Function>,
    ) -> Result<Option<Loaded>, FunctionError> {
        let Source {
            bytes,
            digest,
            adapter,
        } = source;
        if active.is_some_and(|active| active.is(declared, digest))
            && (self.store.is_none() || record.active.as_ref() == Some(digest))
        {
            return Ok(None);
        }
        if let Some(adapter) = adapter {
            let name = &declared.name;
            tracing::debug!(function = name, adapter, version = digest, "composed");
        }
        let function = self.loader.load(declared, source)?;
        function.set_paused(record.paused);
        warm(&function, declared.smoke())?;
        if let Some(store) = &self.store {
            store.add(&declared.name, digest, bytes)?;
        }
        record.activate(digest);
        Ok(Some(Loaded { function, record }))
    }
}
