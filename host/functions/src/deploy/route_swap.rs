//! Functions that take over each other's routes.

use std::sync::Arc;

use audit_log::AppendError;

use super::super::function::Function;
use super::super::table::RouteConflict;
use super::Deployer;
use super::load_context::LoadedFunction;

impl Deployer {
    /// The other function that is served at the route of `function`.
    pub(super) fn route_holder(&self, function: &Function) -> Option<&Arc<Function>> {
        let active = self.active_functions();
        let mut others = active.filter(|other| other.name() != function.name());
        others.find(|other| other.route() == function.route())
    }

    /// Whether another function that is being loaded has the route of `function`. The order of the
    /// configuration decides between them, not the order of loading.
    pub(super) fn is_route_contested(&self, function: &Function) -> bool {
        let others = self
            .states
            .iter()
            .filter(|(name, _)| *name != function.name());
        let mut wanting = others.filter(|(_, state)| Some(&state.config.route) == function.route());
        wanting.any(|(name, _)| self.tasks.has(name) || self.is_waiting_for_route(name))
    }

    fn is_waiting_for_route(&self, name: &str) -> bool {
        let mut waiting = self.waiting_for_route.iter();
        waiting.any(|loaded| loaded.function.name() == name)
    }

    /// Drops a loaded version that waits for its route.
    pub(super) fn forget_waiting(&mut self, name: &str) {
        self.waiting_for_route
            .retain(|loaded| loaded.function.name() != name);
    }

    /// Activates functions that wait for each other's routes, all at once. A function whose route
    /// stays with another one is rejected.
    pub(super) async fn swap_routes(
        &mut self,
        mut waiting: Vec<LoadedFunction>,
    ) -> Result<(), AppendError> {
        // Forces a retry of all until all are served.
        let mut fingerprints = Vec::new();
        for loaded in &waiting {
            let name = loaded.function.name();
            if let Some(state) = self.states.get_mut(name) {
                fingerprints.push((name.to_owned(), state.fingerprints.take()));
            }
        }
        while let Some((index, conflict)) = self.conflict(&waiting) {
            let loaded = waiting.remove(index);
            let name = loaded.function.name();
            self.reject(name, &conflict).await?;
            self.undeploy_unless_wrapped(name).await?;
        }
        let mut replaced = Vec::new();
        for loaded in waiting {
            let name = loaded.function.name().to_owned();
            let before = self.active(&name);
            if let Err(error) = self.activate(loaded).await {
                let reverted = self.revert(replaced).await;
                self.reject_activation(&name, error).await?;
                return reverted;
            }
            replaced.push((name, before));
        }
        self.serve();
        for (name, fingerprints) in fingerprints {
            if let Some(state) = self.states.get_mut(&name) {
                state.fingerprints = fingerprints;
            }
        }
        Ok(())
    }

    /// Activates the previous versions again: all functions get their routes, or none does, because
    /// a partial swap would give two functions one route.
    async fn revert(
        &mut self,
        replaced: Vec<(String, Option<Arc<Function>>)>,
    ) -> Result<(), AppendError> {
        for (name, before) in &replaced {
            match before {
                Some(before) => before.count(),
                None => self.loader.telemetry.metrics.remove(name),
            }
            if let Some(state) = self.states.get_mut(name) {
                state.active.clone_from(before);
                state.is_rejected = true;
                state.is_loading = true;
            }
        }
        self.serve();
        for (name, _) in &replaced {
            self.undeploy_unless_wrapped(name).await?;
        }
        Ok(())
    }

    /// A waiting function that cannot get its route, even if all others get theirs.
    fn conflict(&self, waiting: &[LoadedFunction]) -> Option<(usize, RouteConflict)> {
        let waiting: Vec<_> = waiting.iter().map(|loaded| &loaded.function).collect();
        waiting.iter().enumerate().find_map(|(index, &function)| {
            let is_waiting_for_route =
                |name: &str| waiting.iter().any(|other| other.name() == name);
            let keeps = self
                .route_holder(function)
                .filter(|route_holder| !is_waiting_for_route(route_holder.name()));
            let is_same = |other: &&&Function| other.route() == function.route();
            let before = || waiting[..index].iter().find(is_same);
            let other = keeps
                .map(|route_holder| route_holder.name())
                .or_else(|| before().map(|other| other.name()))?;
            Some((index, RouteConflict::new(function.route()?, other)))
        })
    }
}
