//! Which of the functions that were wanted at the start are served or refused.

use std::collections::BTreeSet;

use super::super::route::Route;
use super::{Deployer, Known};

/// How far the start is.
#[derive(Debug, Default)]
pub(super) enum Start {
    /// It is not known yet which functions are wanted.
    #[default]
    Unknown,
    /// The names of those that were wanted, and were neither served nor refused yet.
    Loading(BTreeSet<String>),
    /// Each of them was served or refused once.
    Over,
}

impl Start {
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

impl Known {
    /// Whether it is being loaded, and nothing of it is served yet.
    fn is_loaded_first(&self) -> bool {
        self.is_loading && self.active.is_none()
    }
}

impl Deployer {
    /// Notes that all functions that are wanted are known.
    pub(super) fn begin_start(&mut self) {
        if !self.start.is_known() {
            self.start = Start::Loading(self.known.keys().cloned().collect());
            self.serve();
        }
        self.follow_start();
    }

    /// Notes which functions are served or refused. To be called whenever one may be.
    pub(super) fn follow_start(&mut self) {
        let loading = self.loading().map(|(name, _)| name);
        if !loading.eq(self.functions.table().loading()) {
            self.serve();
        }
        let Start::Loading(names) = &self.start else {
            return;
        };
        let problems = self.functions.problems();
        let is_open = |name: &&String| self.is_loading(name) && !problems.contains_key(*name);
        let open: BTreeSet<_> = names.iter().filter(is_open).cloned().collect();
        if !open.is_empty() {
            self.start = Start::Loading(open);
            return;
        }
        self.start = Start::Over;
        self.functions.set_started();
        let served = self.functions.table().functions().len();
        let refused = self.known.values().filter(|known| known.is_refused);
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
        let known = self.known.iter();
        let loading = known.filter(|(_, known)| known.is_loaded_first());
        loading.map(|(name, known)| (&**name, &known.declared.route))
    }

    /// Whether nothing of this function is served yet, and something may be soon.
    pub(super) fn is_loading(&self, name: &str) -> bool {
        let known = self.known.get(name);
        known.is_some_and(Known::is_loaded_first)
    }

    /// Notes that something of this function may be served later.
    pub(super) fn set_loading(&mut self, name: &str) {
        if let Some(known) = self.known.get_mut(name) {
            known.is_loading = true;
        }
    }
}
