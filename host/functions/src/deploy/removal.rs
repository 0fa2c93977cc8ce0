//! Functions that are served no more.

use std::collections::BTreeSet;
use std::time::Duration;

use audit_log::AppendError;
use audit_log::event::Event;
use audit_log::record::Component;
use tokio::task::spawn_blocking;

use super::super::declaration::Declared;
use super::super::store::StoreError;
use super::Deployer;
use super::control::ControlError;
use super::scan::{Scan, Stamps};

/// Time without a change after which a declaration that removes all functions is applied: an
/// editor may have cut the file to rewrite it, and a folder may not be mounted.
pub(super) const DELAY: Duration = Duration::from_secs(5);

impl Deployer {
    /// Whether the declaration would remove all functions that have a file, and has not been
    /// unchanged for long enough.
    pub(super) fn delays_removal(&mut self, scan: &Scan) -> bool {
        let has_file = |declared: &Declared| declared.component.is_some();
        let known = self
            .known
            .values()
            .filter(|known| has_file(&known.declared));
        let count = known.count();
        let is_empty = !scan.wanted.iter().any(|(declared, _)| has_file(declared));
        if count == 0 || !is_empty || !scan.is_complete {
            self.emptied.forget();
            return false;
        }
        let is_new = self.emptied.noted().is_none();
        if self.emptied.since(&scan.documents).elapsed() >= DELAY {
            self.emptied.forget();
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
        wanted: &[(Declared, Stamps)],
    ) -> Result<(), AppendError> {
        let wanted: BTreeSet<_> = wanted.iter().map(|(f, _)| f.name.as_str()).collect();
        let is_unwanted = |name: &&String| !wanted.contains(name.as_str());
        let unwanted: Vec<_> = self.known.keys().filter(is_unwanted).cloned().collect();
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
    pub(super) async fn undeploy(&mut self, name: &str) -> Result<(), ControlError> {
        self.record_removal(name).await?;
        if let Err(error) = self.remove_from_store(name).await {
            // The record says otherwise.
            self.refuse(name, &error).await?;
            return Err(error.into());
        }
        self.drop_function(name);
        Ok(())
    }

    /// Serves a function no more whose requests do not go through the middleware that is
    /// declared for it now. To be called when what is declared cannot be served.
    pub(super) async fn withdraw_unless_wrapped(&mut self, name: &str) -> Result<(), AppendError> {
        let Some(known) = self.known.get_mut(name) else {
            return Ok(());
        };
        let Some(active) = known.active.clone() else {
            return Ok(());
        };
        if active.is_wrapped_as(&known.declared) {
            return Ok(());
        }
        // Until the audit log has a record of it.
        let stamps = known.stamps.take();
        let component = active.app().component();
        self.record(Some(component), &Event::ComponentRemoved)
            .await?;
        if let Some(known) = self.known.get_mut(name) {
            known.stamps = stamps;
            known.active = None;
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
        let known = self.known.get(name);
        if let Some(active) = known.and_then(|known| known.active.as_ref()) {
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
        let known = self.known.remove(name);
        self.functions.set_problem(name, None);
        self.serve();
        let Some(active) = known.and_then(|known| known.active) else {
            return;
        };
        self.loader.telemetry.metrics.remove(name);
        tracing::info!(function = name, version = active.version(), "removed");
    }
}
