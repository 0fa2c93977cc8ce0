//! What is told of functions that cannot be served.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use audit_log::AppendError;
use audit_log::event::Event;
use audit_log::record::{Component, Subject};
use tokio::task::spawn_blocking;

use super::super::file_fingerprint::FileFingerprint;
use super::Deployer;
use super::stable_files::STABLE_PERIOD;
use sanitize::error_chain;

impl Deployer {
    /// Tells that what is wanted cannot be known, and why, if that stays so for a while: the file
    /// may still be written. Everything goes on as it was.
    ///
    /// # Errors
    ///
    /// Fails if the audit log takes no record of it.
    pub async fn reject_config(
        &mut self,
        file: &Path,
        error: &(dyn Error + Send + Sync),
    ) -> Result<(), AppendError> {
        let path = file.to_owned();
        let fingerprint = spawn_blocking(move || FileFingerprint::of(&path)).await;
        let since = self.bad_document.observe(&[fingerprint.ok().flatten()]);
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
            cause: cause_of_record(&cause).into(),
        };
        self.record(None, &event).await?;
        tracing::error!("functions stay as they were: {cause}");
        self.problems.insert(cause);
        Ok(())
    }

    /// Tells what is wrong beside the functions, but for what was told before.
    pub(super) fn report(&mut self, problems: BTreeSet<String>) {
        for problem in problems.difference(&self.problems) {
            tracing::error!("{problem}");
        }
        self.problems = problems;
    }

    /// Tells why a function is not served as it is wanted.
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
            cause: cause_of_record(&cause).into(),
        };
        let recorded = self.record(None, &event).await;
        if recorded.is_err()
            && let Some(state) = self.states.get_mut(name)
        {
            // It is recorded the next time.
            state.fingerprints = None;
        }
        self.functions.set_problem(name, Some(cause.clone()));
        if self.functions.is_loading(name) {
            // Before it is told: its requests get another answer from now on.
            self.serve();
        }
        let keeps_running = active.as_ref().map(|active| active.version());
        tracing::error!(function = name, %cause, keeps_running, "function refused");
        recorded
    }

    /// Leaves a record in the audit log.
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

/// The longest cause in an audit record, in bytes.
const MAX_RECORDED_BYTES: usize = 4096;

/// The beginning of `cause`, for an audit record.
fn cause_of_record(cause: &str) -> &str {
    &cause[..cause.floor_char_boundary(MAX_RECORDED_BYTES)]
}
