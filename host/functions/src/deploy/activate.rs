//! Activation of loaded versions.

use std::sync::Arc;

use audit_log::AppendError;
use audit_log::event::Event;
use tokio::task::spawn_blocking;

use super::super::table::Table;
use super::Deployer;
use super::load_context::LoadedFunction;

impl Deployer {
    /// Activates a version, which the next [`serve`](Self::serve) publishes.
    pub(super) async fn activate(&mut self, loaded: LoadedFunction) -> Result<(), AppendError> {
        let LoadedFunction {
            function,
            mut record,
        } = loaded;
        let name = function.name().to_owned();
        let active = self
            .states
            .get(&name)
            .and_then(|state| state.active.as_ref());
        if let Some(active) = active {
            // An operator may have paused or resumed it during the load.
            record.paused = active.is_paused();
            function.set_paused(record.paused);
        }
        let replaces = active.map(|active| active.version().to_owned());
        let event = Event::ComponentLoad {
            replaces: active.map(|active| active.component().into()),
        };
        let recorded = self.record(Some(function.app().component()), &event).await;
        let is_recorded = recorded.is_ok();
        let mut noted = Ok(());
        if let Some(store) = self.store.clone()
            && is_recorded
        {
            let name = name.clone();
            let set = spawn_blocking(move || store.set(&name, record)).await;
            noted = set.unwrap_or(Ok(()));
        }
        let Some(state) = self.states.get_mut(&name) else {
            return recorded;
        };
        if !is_recorded || noted.is_err() {
            // The next reconciliation retries it.
            state.fingerprints = None;
            state.is_rejected = true;
            state.is_loading = true;
        }
        if let Err(error) = noted {
            self.reject(&name, &error).await?;
            self.undeploy_unless_wrapped(&name).await?;
        } else if is_recorded {
            tracing::info!(
                function = name,
                version = function.version(),
                component = function.component(),
                replaces,
                route = function.route().map(tracing::field::display),
                "deployed"
            );
            function.count();
            state.active = Some(Arc::new(function));
            state.is_loading = false;
        }
        recorded
    }

    /// Publishes a table of all active and loading functions.
    pub(super) fn serve(&self) {
        let mut table = Table::default();
        let active = self
            .states
            .values()
            .filter_map(|state| state.active.as_ref());
        for function in active {
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
