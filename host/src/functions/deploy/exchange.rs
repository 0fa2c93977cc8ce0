//! Functions that take over routes of each other.

use std::sync::Arc;

use audit_log::AppendError;

use super::super::table::{Conflict, Function};
use super::Deployer;

impl Deployer {
    /// Who is served at the route that `function` wants.
    pub(super) fn holder(&self, function: &Function) -> Option<&Arc<Function>> {
        let active = self
            .known
            .values()
            .filter_map(|known| known.active.as_ref());
        let mut others = active.filter(|other| other.name() != function.name());
        others.find(|other| other.route() == function.route())
    }

    /// Activates functions that wait for routes of each other, all at once. One that wants
    /// the route of somebody who keeps it is refused.
    pub(super) async fn exchange_routes(
        &mut self,
        mut waiting: Vec<Function>,
    ) -> Result<(), AppendError> {
        while let Some((index, conflict)) = self.conflict(&waiting) {
            let function = waiting.remove(index);
            self.refuse(function.name(), &conflict).await?;
        }
        for function in waiting {
            self.activate(function).await?;
        }
        self.serve();
        Ok(())
    }

    /// One of those that are waiting that cannot have its route, even if all others get
    /// theirs.
    fn conflict(&self, waiting: &[Function]) -> Option<(usize, Conflict)> {
        waiting.iter().enumerate().find_map(|(index, function)| {
            let is_waiting = |name: &str| waiting.iter().any(|other| other.name() == name);
            let keeps = self
                .holder(function)
                .filter(|holder| !is_waiting(holder.name()));
            let is_same = |other: &&Function| other.route() == function.route();
            let before = || waiting[..index].iter().find(is_same);
            let other = keeps
                .map(|holder| holder.name())
                .or_else(|| before().map(Function::name))?;
            Some((index, Conflict::new(function.route()?, other)))
        })
    }
}
