//! Startup: progress of the first load of all functions.

use std::collections::BTreeSet;

use super::super::route::Route;
use super::{Deployer, FunctionState};

/// State of the startup.
#[derive(Debug, Default)]
pub(super) enum Startup {
    /// The configuration is not loaded yet.
    #[default]
    Unknown,
    /// Names of the functions that were neither served nor rejected yet.
    Loading(BTreeSet<String>),
    /// Each function was served or rejected once.
    Over,
}

impl Startup {
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Whether this function belongs to the startup, and was neither served nor rejected yet.
    pub(super) fn waits_for(&self, name: &str) -> bool {
        match self {
            Self::Unknown => true,
            Self::Loading(names) => names.contains(name),
            Self::Over => false,
        }
    }
}

impl FunctionState {
    /// Whether its first version is being loaded.
    fn is_loaded_first(&self) -> bool {
        self.is_loading && self.active.is_none()
    }
}

impl Deployer {
    /// Marks the configuration as loaded.
    pub(super) fn begin_startup(&mut self) {
        if !self.start.is_known() {
            self.start = Startup::Loading(self.states.keys().cloned().collect());
            self.serve();
        }
        self.update_startup();
    }

    /// Updates the state after a function may have been served or rejected.
    pub(super) fn update_startup(&mut self) {
        let loading = self.loading().map(|(name, _)| name);
        if !loading.eq(self.functions.table().loading()) {
            self.serve();
        }
        let Startup::Loading(names) = &self.start else {
            return;
        };
        let problems = self.functions.problems();
        let is_open = |name: &&String| self.is_loading(name) && !problems.contains_key(*name);
        let open: BTreeSet<_> = names.iter().filter(is_open).cloned().collect();
        if !open.is_empty() {
            self.start = Startup::Loading(open);
            return;
        }
        self.start = Startup::Over;
        self.functions.set_started();
        let served = self.functions.table().functions().len();
        let rejected = self.states.values().filter(|state| state.is_rejected);
        let rejected = rejected.count() + self.problems.len();
        if rejected == 0 {
            tracing::info!("all functions are loaded: {served} are served");
        } else {
            tracing::warn!(
                "all functions are loaded: {served} are served, {rejected} were rejected; see the errors above"
            );
        }
    }

    /// Functions whose first version is being loaded, with their routes, by name.
    pub(super) fn loading(&self) -> impl Iterator<Item = (&str, &Route)> {
        let state = self.states.iter();
        let loading = state.filter(|(_, state)| state.is_loaded_first());
        loading.map(|(name, state)| (&**name, &state.config.route))
    }

    /// Whether the first version of this function is being loaded.
    pub(super) fn is_loading(&self, name: &str) -> bool {
        let state = self.states.get(name);
        state.is_some_and(FunctionState::is_loaded_first)
    }

    /// Marks this function as loading.
    pub(super) fn set_loading(&mut self, name: &str) {
        if let Some(state) = self.states.get_mut(name) {
            state.is_loading = true;
        }
    }
}
