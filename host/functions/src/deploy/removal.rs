//! Functions that are served no more.

use std::collections::BTreeSet;
use std::time::Duration;

use audit_log::AppendError;
use audit_log::event::Event;
use audit_log::record::Component;
use tokio::task::spawn_blocking;

use super::super::config::FunctionConfig;
use super::super::store::StoreError;
use super::Deployer;
use super::command::DeployError;
use super::scan::{Fingerprints, Scan};

/// Time without a change after which a declaration that removes all functions is applied: an
/// editor may have cut the file to rewrite it, and a folder may not be mounted.
pub(super) const DELAY: Duration = Duration::from_secs(5);

impl Deployer {
    /// Whether the declaration would remove all functions that have a file, and has not been
    /// unchanged for long enough.
    pub(super) fn delays_removal(&mut self, scan: &Scan) -> bool {
        let has_file = |config: &FunctionConfig| config.component.is_some();
        let state = self.states.values().filter(|state| has_file(&state.config));
        let count = state.count();
        let is_empty = !scan.desired.iter().any(|(config, _)| has_file(config));
        if count == 0 || !is_empty || !scan.is_complete {
            self.removes_all.reset();
            return false;
        }
        let is_new = self.removes_all.since().is_none();
        if self.removes_all.observe(&scan.documents).elapsed() >= DELAY {
            self.removes_all.reset();
            return false;
        }
        if is_new {
            let seconds = DELAY.as_secs();
            tracing::warn!(
                "none of the {count} functions is declared any more: they are removed after \
                 {seconds} s without a change"
            );
        }
        true
    }

    /// Serves no more what is not wanted any more.
    pub(super) async fn remove_all_but(
        &mut self,
        desired: &[(FunctionConfig, Fingerprints)],
    ) -> Result<(), AppendError> {
        let desired: BTreeSet<_> = desired.iter().map(|(f, _)| f.name.as_str()).collect();
        let is_unwanted = |name: &&String| !desired.contains(name.as_str());
        let unwanted: Vec<_> = self.states.keys().filter(is_unwanted).cloned().collect();
        for name in unwanted {
            self.record_removal(&name).await?;
            if let Err(error) = self.remove_from_store(&name).await {
                // Without a file it is not served after the next start either.
                tracing::error!("{error}");
            }
            self.drop_function(&name);
        }
        Ok(())
    }

    /// Serves a function no more, as an operator orders it.
    ///
    /// # Errors
    ///
    /// Fails, and serves it still, if the audit log takes no record of it or the disk does not
    /// take it.
    pub(super) async fn undeploy(&mut self, name: &str) -> Result<(), DeployError> {
        self.record_removal(name).await?;
        if let Err(error) = self.remove_from_store(name).await {
            // The record says otherwise.
            self.reject(name, &error).await?;
            return Err(error.into());
        }
        self.drop_function(name);
        Ok(())
    }

    /// Serves a function no more whose requests do not go through the middleware that is
    /// declared for it now. To be called when what is declared cannot be served.
    pub(super) async fn undeploy_unless_wrapped(&mut self, name: &str) -> Result<(), AppendError> {
        let Some(state) = self.states.get_mut(name) else {
            return Ok(());
        };
        let Some(active) = state.active.clone() else {
            return Ok(());
        };
        if active.is_wrapped_as(&state.config) {
            return Ok(());
        }
        // Until the audit log has a record of it.
        let fingerprints = state.fingerprints.take();
        let component = active.app().component();
        self.record(Some(component), &Event::ComponentRemoved)
            .await?;
        if let Some(state) = self.states.get_mut(name) {
            state.fingerprints = fingerprints;
            state.active = None;
        }
        self.serve();
        self.loader.telemetry.metrics.remove(name);
        tracing::error!(
            function = name,
            version = active.version(),
            "not served any more: it cannot be put behind the middleware that is declared"
        );
        Ok(())
    }

    /// Leaves a record of the removal of a function, if anything of it was ever served.
    async fn record_removal(&self, name: &str) -> Result<(), AppendError> {
        let state = self.states.get(name);
        if let Some(active) = state.and_then(|state| state.active.as_ref()) {
            let component = active.app().component();
            return self.record(Some(component), &Event::ComponentRemoved).await;
        }
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        let kept = name.to_owned();
        let kept = spawn_blocking(move || store.record(&kept)).await;
        let active = kept.ok().and_then(Result::ok);
        let Some(sha256) = active.and_then(|record| record.active) else {
            return Ok(());
        };
        let component = Component {
            name: name.into(),
            sha256: sha256.into(),
        };
        self.record(Some(&component), &Event::ComponentRemoved)
            .await
    }

    async fn remove_from_store(&self, name: &str) -> Result<(), StoreError> {
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        let name = name.to_owned();
        let removed = spawn_blocking(move || store.remove(&name)).await;
        removed.unwrap_or(Ok(()))
    }

    /// Forgets a function.
    fn drop_function(&mut self, name: &str) {
        let state = self.states.remove(name);
        self.functions.set_problem(name, None);
        self.serve();
        let Some(active) = state.and_then(|state| state.active) else {
            return;
        };
        self.loader.telemetry.metrics.remove(name);
        tracing::info!(function = name, version = active.version(), "removed");
    }
}
