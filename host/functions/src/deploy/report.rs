//! Reports of errors, in the log and the audit log.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use audit_log::AppendError;
use audit_log::event::Event;
use audit_log::record::{Component, Subject};
use sanitize::{error_chain, truncate};
use tokio::task::spawn_blocking;

use super::super::file_fingerprint::FileFingerprint;
use super::Deployer;
use super::stable_files::STABLE_PERIOD;

/// Maximum length of the cause in an audit record, in bytes.
const MAX_RECORDED_BYTES: usize = 4096;

impl Deployer {
    /// Rejects an invalid configuration once its file is stable, because it may still be incomplete.
    /// The previous functions stay active.
    ///
    /// # Errors
    ///
    /// Fails if the audit log cannot be written.
    pub async fn reject_config(
        &mut self,
        file: &Path,
        error: &(dyn Error + Send + Sync),
    ) -> Result<(), AppendError> {
        let path = file.to_owned();
        let fingerprint = spawn_blocking(move || FileFingerprint::of(&path)).await;
        let since = self.rejected_config.observe(&[fingerprint.ok().flatten()]);
        if since.elapsed() < STABLE_PERIOD {
            return Ok(());
        }
        let file = file.display().to_string();
        let cause = error_chain(error);
        if self.problems.contains(&cause) {
            return Ok(());
        }
        let event = Event::FunctionsRefused {
            file: (&*file).into(),
            cause: truncate(&cause, MAX_RECORDED_BYTES).into(),
        };
        self.record(None, &event).await?;
        tracing::error!("configuration rejected, previous functions stay active: {cause}");
        self.problems.insert(cause);
        Ok(())
    }

    /// Logs errors that belong to no function, each once.
    pub(super) fn report(&mut self, problems: BTreeSet<String>) {
        for problem in problems.difference(&self.problems) {
            tracing::error!("{problem}");
        }
        self.problems = problems;
    }

    /// Rejects the configuration of a function, and reports the error.
    pub(super) async fn reject(
        &mut self,
        name: &str,
        error: &(dyn Error + Send + Sync),
    ) -> Result<(), AppendError> {
        let Some(state) = self.states.get_mut(name) else {
            return Ok(());
        };
        state.is_rejected = true;
        state.is_loading = false;
        let cause = error_chain(error);
        let active = state.active.clone();
        let event = Event::ComponentRefused {
            function: name.into(),
            cause: truncate(&cause, MAX_RECORDED_BYTES).into(),
        };
        let recorded = self.record(None, &event).await;
        if recorded.is_err()
            && let Some(state) = self.states.get_mut(name)
        {
            // The next reconciliation retries the record.
            state.fingerprints = None;
        }
        self.functions.set_problem(name, Some(cause.clone()));
        if self.functions.is_loading(name) {
            // Before the log line: the response to its requests changes.
            self.serve();
        }
        let goes_on = active.as_ref().map(|active| active.version());
        tracing::error!(function = name, %cause, goes_on, "function rejected");
        recorded
    }

    /// Appends a record to the audit log.
    pub(super) async fn record(
        &self,
        component: Option<&Component<'_>>,
        event: &Event<'_>,
    ) -> Result<(), AppendError> {
        let subject = Subject {
            component,
            request: None,
        };
        self.loader.audit.record(subject, event).await.map(drop)
    }
}
