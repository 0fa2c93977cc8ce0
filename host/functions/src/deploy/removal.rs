//! Removal of functions.

use std::collections::BTreeSet;
use std::time::Duration;

use audit_log::AppendError;
use audit_log::event::Event;
use audit_log::record::Component;

use super::super::config::FunctionConfig;
use super::super::function::Function;
use super::super::store::StoreError;
use super::Deployer;
use super::command::DeployError;
use super::load_context::run_blocking;
use super::scan::{Fingerprints, Scan};

/// Time without a change before a configuration without functions is applied: an editor may have
/// truncated the file to rewrite it, and a folder may not be mounted yet.
pub(super) const DELAY: Duration = Duration::from_secs(5);

impl Deployer {
    /// Whether the configuration would remove all functions with a file, and is not stable yet.
    pub(super) fn delays_removal(&mut self, scan: &Scan) -> bool {
        let has_file = |config: &FunctionConfig| config.component.is_some();
        let states = self.states.values();
        let count = states.filter(|state| has_file(&state.config)).count();
        let is_empty = !scan.desired.iter().any(|(config, _)| has_file(config));
        if count == 0 || !is_empty || !scan.is_complete {
            self.pending_removal.reset();
            return false;
        }
        let is_new = self.pending_removal.since().is_none();
        if self.pending_removal.observe(&scan.documents).elapsed() >= DELAY {
            self.pending_removal.reset();
            return false;
        }
        if is_new {
            let seconds = DELAY.as_secs();
            tracing::warn!(
                "the configuration removes all {count} functions: it is applied after {seconds} s \
                 without a change"
            );
        }
        true
    }

    /// Removes functions that are not configured any more.
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
                // Without a file, the function is not served after a restart either.
                tracing::error!("{error}");
            }
            self.drop_function(&name);
        }
        Ok(())
    }

    /// Removes a function on the command of an operator.
    ///
    /// # Errors
    ///
    /// Fails, and keeps serving it, if the audit log or the store cannot be written.
    pub(super) async fn undeploy(&mut self, name: &str) -> Result<(), DeployError> {
        self.record_removal(name).await?;
        if let Err(error) = self.remove_from_store(name).await {
            // The audit record has the removal, which failed.
            self.reject(name, &error).await?;
            return Err(error.into());
        }
        self.drop_function(name);
        Ok(())
    }

    /// Undeploys a function whose requests do not go through the configured middleware. Called when
    /// its configuration cannot be served.
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
        // Forces a retry until the audit log has a record.
        let fingerprints = state.fingerprints.take();
        self.record_removed(active.chain()).await?;
        if let Some(state) = self.states.get_mut(name) {
            state.fingerprints = fingerprints;
            state.active = None;
        }
        self.serve();
        self.loader.telemetry.metrics.remove(name);
        tracing::error!(
            function = name,
            version = active.version(),
            "undeployed: the configured middleware cannot be put in front of it"
        );
        Ok(())
    }

    /// Records the removal of a function, if a version of it was ever served.
    async fn record_removal(&self, name: &str) -> Result<(), AppendError> {
        let state = self.states.get(name);
        if let Some(active) = state.and_then(|state| state.active.as_ref()) {
            return self.record_removed(active.chain()).await;
        }
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        let kept = name.to_owned();
        // Without its record, the version is unknown.
        let record = run_blocking(move || store.record(&kept)).await.ok();
        let Some(sha256) = record.and_then(|record| record.active) else {
            return Ok(());
        };
        let component = Component {
            name: name.into(),
            sha256: sha256.into(),
        };
        self.record(Some(&component), &Event::ComponentRemoved)
            .await
    }

    /// Records that these segments of a function are not served any more.
    pub(super) async fn record_removed(
        &self,
        segments: impl Iterator<Item = &Function>,
    ) -> Result<(), AppendError> {
        for segment in segments {
            let component = segment.app().component();
            self.record(Some(component), &Event::ComponentRemoved)
                .await?;
        }
        Ok(())
    }

    async fn remove_from_store(&self, name: &str) -> Result<(), StoreError> {
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        let name = name.to_owned();
        run_blocking(move || store.remove(&name)).await
    }

    /// Drops the state of a function, and publishes the table without it.
    fn drop_function(&mut self, name: &str) {
        let state = self.states.remove(name);
        self.forget_waiting(name);
        self.functions.set_problem(name, None);
        self.serve();
        let Some(active) = state.and_then(|state| state.active) else {
            return;
        };
        self.loader.telemetry.metrics.remove(name);
        tracing::info!(function = name, version = active.version(), "removed");
    }
}
