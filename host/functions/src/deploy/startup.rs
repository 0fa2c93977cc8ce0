//! Which of the functions that were wanted at the start are served or refused.

use std::collections::BTreeSet;

use super::super::route::Route;
use super::{Deployer, FunctionState};

/// How far the start is.
#[derive(Debug, Default)]
pub(super) enum Startup {
    /// It is not known yet which functions are wanted.
    #[default]
    Unknown,
    /// The names of those that were wanted, and were neither served nor refused yet.
    Loading(BTreeSet<String>),
    /// Each of them was served or refused once.
    Over,
}

impl Startup {
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Whether this function was wanted at the start, and neither served nor refused yet.
    pub(super) fn waits_for(&self, name: &str) -> bool {
        match self {
            Self::Unknown => true,
            Self::Loading(names) => names.contains(name),
            Self::Over => false,
        }
    }
}

impl FunctionState {
    /// Whether it is being loaded, and nothing of it is served yet.
    fn is_loaded_first(&self) -> bool {
        self.is_loading && self.active.is_none()
    }
}

impl Deployer {
    /// Notes that all functions that are wanted are known.
    pub(super) fn begin_startup(&mut self) {
        if !self.start.is_known() {
            self.start = Startup::Loading(self.states.keys().cloned().collect());
            self.serve();
        }
        self.update_startup();
    }

    /// Notes which functions are served or refused. To be called whenever one may be.
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
        let refused = self.states.values().filter(|state| state.is_rejected);
        let refused = refused.count() + self.problems.len();
        if refused == 0 {
            tracing::info!("all functions are loaded: {served} are served");
        } else {
            tracing::warn!(
                "all functions are loaded: {served} are served, and {refused} cannot be; see above"
            );
        }
    }

    /// The functions that are being loaded, and of which nothing is served yet, with their
    /// routes, by name.
    pub(super) fn loading(&self) -> impl Iterator<Item = (&str, &Route)> {
        let state = self.states.iter();
        let loading = state.filter(|(_, state)| state.is_loaded_first());
        loading.map(|(name, state)| (&**name, &state.config.route))
    }

    /// Whether nothing of this function is served yet, and something may be soon.
    pub(super) fn is_loading(&self, name: &str) -> bool {
        let state = self.states.get(name);
        state.is_some_and(FunctionState::is_loaded_first)
    }

    /// Notes that something of this function may be served later.
    pub(super) fn set_loading(&mut self, name: &str) {
        if let Some(state) = self.states.get_mut(name) {
            state.is_loading = true;
        }
    }
}
