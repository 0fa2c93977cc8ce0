//! Activation of loaded versions.

use std::sync::Arc;

use audit_log::AppendError;
use audit_log::event::Event;

use super::super::function::Function;
use super::super::store::StoreError;
use super::super::table::Table;
use super::Deployer;
use super::load_context::{LoadedFunction, run_blocking};

/// Why a loaded version was not activated.
pub(super) enum ActivateError {
    /// The audit log refused the record.
    Audit(AppendError),
    /// The store failed.
    Store(StoreError),
}

impl Deployer {
    /// Rejects a function whose version was not activated.
    pub(super) async fn reject_activation(
        &mut self,
        name: &str,
        error: ActivateError,
    ) -> Result<(), AppendError> {
        match error {
            ActivateError::Audit(error) => Err(error),
            ActivateError::Store(error) => {
                self.reject(name, &error).await?;
                self.undeploy_unless_wrapped(name).await
            }
        }
    }

    /// Activates a version, which the next [`serve`](Self::serve) publishes. If that fails, the
    /// previous version stays active, and the next reconciliation retries it.
    pub(super) async fn activate(&mut self, loaded: LoadedFunction) -> Result<(), ActivateError> {
        let name = loaded.function.name().to_owned();
        let activated = self.record_activation(loaded).await;
        let Some(state) = self.states.get_mut(&name) else {
            return activated.map(drop);
        };
        match activated {
            Ok(function) => {
                function.count();
                state.active = Some(Arc::new(function));
                state.is_loading = false;
                Ok(())
            }
            Err(error) => {
                state.fingerprints = None;
                state.is_rejected = true;
                state.is_loading = true;
                Err(error)
            }
        }
    }

    /// Records an activation in the audit log, and then in the store.
    async fn record_activation(
        &mut self,
        loaded: LoadedFunction,
    ) -> Result<Function, ActivateError> {
        let LoadedFunction {
            function,
            mut record,
        } = loaded;
        let name = function.name();
        let active = self.active(name);
        if let Some(active) = &active {
            // An operator may have paused or resumed it during the load.
            record.paused = active.is_paused();
            function.set_paused(record.paused);
        }
        // The innermost segments correspond.
        let replaced: Vec<_> = active.iter().flat_map(|active| active.chain()).collect();
        let count = function.chain().count();
        for (number, segment) in function.chain().enumerate() {
            let app = segment.app();
            let replaced = (replaced.len() + number)
                .checked_sub(count)
                .map(|at| replaced[at]);
            let replaced = replaced.map(|segment| &segment.app().component().sha256);
            let event = Event::ComponentLoad {
                replaces: replaced.map(|sha256| (&**sha256).into()),
                wasi: Some(app.wasi_version().as_str().into()),
            };
            let recorded = self.record(Some(app.component()), &event).await;
            recorded.map_err(ActivateError::Audit)?;
        }
        // The outermost segments of the previous version, if it has more.
        let surplus = replaced.len().saturating_sub(count);
        let recorded = self.record_removed(replaced.into_iter().take(surplus));
        recorded.await.map_err(ActivateError::Audit)?;
        if let Some(store) = self.store.clone() {
            let name = name.to_owned();
            let stored = run_blocking(move || store.set(&name, record)).await;
            stored.map_err(ActivateError::Store)?;
        }
        tracing::info!(
            function = name,
            version = function.version(),
            component = function.component(),
            wasi = %function.wasi(),
            replaces = active.as_ref().map(|active| active.version()),
            route = function.route().map(tracing::field::display),
            "deployed"
        );
        Ok(function)
    }

    /// The version of a function that is served.
    pub(super) fn active(&self, name: &str) -> Option<Arc<Function>> {
        self.states.get(name)?.active.clone()
    }

    /// The versions of all functions that are served.
    pub(super) fn active_functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        let states = self.states.values();
        states.filter_map(|state| state.active.as_ref())
    }

    /// Publishes a table of all active and loading functions.
    pub(super) fn serve(&self) {
        let mut table = Table::default();
        for function in self.active_functions() {
            if let Err(conflict) = table.add(function.clone()) {
                // Unreachable: `activate` follows a check for conflicts.
                tracing::error!(function = function.name(), "not served: {conflict}");
            }
        }
        for (name, route) in self.loading() {
            table.add_loading(name, route);
        }
        if !self.start.is_known() {
            table.set_unknown();
        }
        self.functions.replace(table);
    }
}
