//! Execution of commands.

use std::sync::Arc;

use audit_log::event::Event;
use engine::Part;
use sanitize::error_chain;

use super::super::config::{FunctionConfig, check_name};
use super::super::function::Function;
use super::super::load::FunctionError;
use super::super::record::Record;
use super::super::store::Store;
use super::super::table::RouteConflict;
use super::activate::ActivateError;
use super::command::{DeployCommand, DeployError, DeployOutcome, MAX_PENDING};
use super::load_context::{LoadContext, LoadedFunction, run_blocking};
use super::tasks::{CommandOutcome, Reply, Task};
use super::{Deployer, FunctionState};

impl Deployer {
    /// Starts a command, whose result is sent to `reply`. Commands for one function run one after
    /// the other, except pausing and resuming it.
    pub async fn execute(&mut self, command: DeployCommand, reply: Reply) {
        let rejected = match self.check(&command) {
            Ok(()) if self.is_immediate(&command) => {
                let done = self.execute_immediately(command).await;
                let _ = reply.send(done);
                return;
            }
            Ok(()) if self.tasks.commands() < MAX_PENDING => {
                self.submit(Task::Execute(command, reply));
                return;
            }
            Ok(()) => DeployError::Busy,
            Err(error) => error,
        };
        // The operator may have disconnected.
        let _ = reply.send(Err(rejected));
    }

    /// Whether a command runs without waiting for a load: pause and resume, unless the function's
    /// first version is loading.
    fn is_immediate(&self, command: &DeployCommand) -> bool {
        let is_pause_or_resume = matches!(
            command,
            DeployCommand::Pause { .. } | DeployCommand::Resume { .. }
        );
        is_pause_or_resume && !self.is_loading(command.name())
    }

    fn check(&self, command: &DeployCommand) -> Result<(), DeployError> {
        if self.store.is_none() {
            return Err(DeployError::NoState);
        }
        // The name becomes a part of a path.
        let name = command.name();
        check_name(name).map_err(|why| DeployError::BadName {
            name: name.to_owned(),
            why,
        })
    }

    /// Finishes a command after its load.
    pub(super) async fn finish_command(
        &mut self,
        outcome: CommandOutcome,
    ) -> Result<DeployOutcome, DeployError> {
        match outcome {
            CommandOutcome::Loaded(config, loaded) => self.finish_deploy(config, *loaded).await,
            CommandOutcome::Failed(error) => Err(error),
            CommandOutcome::Immediate(command) => self.execute_immediately(command).await,
        }
    }

    /// Executes a command that loads nothing.
    async fn execute_immediately(
        &mut self,
        command: DeployCommand,
    ) -> Result<DeployOutcome, DeployError> {
        let store = self.store.clone().ok_or(DeployError::NoState)?;
        match command {
            DeployCommand::Pause { name } => self.set_paused(name, true, store).await,
            DeployCommand::Resume { name } => self.set_paused(name, false, store).await,
            DeployCommand::Remove { name } => self.remove(name).await,
            DeployCommand::Deploy { .. } | DeployCommand::Activate { .. } => Err(DeployError::Busy),
        }
    }

    /// Activates the loaded version.
    async fn finish_deploy(
        &mut self,
        config: FunctionConfig,
        loaded: Result<Option<LoadedFunction>, FunctionError>,
    ) -> Result<DeployOutcome, DeployError> {
        let name = config.name.clone();
        let replaces = self.active(&name);
        let replaces = replaces.map(|active| active.version().to_owned());
        let loaded = match loaded {
            Ok(None) => {
                return Ok(DeployOutcome {
                    name,
                    version: replaces.clone(),
                    replaces,
                });
            }
            Ok(Some(loaded)) => Ok(loaded),
            Err(error) => Err(error),
        };
        // A version that waits for its route is outdated now.
        self.forget_waiting(&name);
        let is_new = !self.states.contains_key(&name);
        self.states
            .entry(name.clone())
            .or_insert_with(|| FunctionState::new(config));
        let checked = match loaded {
            // The configured middleware changed meanwhile.
            Ok(loaded) if !self.is_wrapped_as_configured(&loaded.function) => {
                Err(DeployError::Busy)
            }
            Ok(loaded) => match self.conflict_of(&loaded.function) {
                None => Ok(loaded),
                Some(conflict) => {
                    let rejected = DeployError::RouteConflict(conflict.to_string());
                    let recorded = self.reject(&name, &conflict).await;
                    Err(recorded.err().map_or(rejected, Into::into))
                }
            },
            Err(error) => {
                let rejected = DeployError::Rejected(error_chain(&error));
                let recorded = self.reject(&name, &error).await;
                Err(recorded.err().map_or(rejected, Into::into))
            }
        };
        let done = match checked {
            Ok(loaded) => self.activate_for_command(loaded).await,
            Err(rejected) => Err(rejected),
        };
        match done {
            Ok(version) => {
                self.functions.set_problem(&name, None);
                Ok(DeployOutcome {
                    name,
                    version: Some(version),
                    replaces,
                })
            }
            Err(error) => {
                if is_new {
                    // A new function that failed leaves no state.
                    self.states.remove(&name);
                    self.functions.set_problem(&name, None);
                }
                Err(error)
            }
        }
    }

    /// Activates a version and serves it. Returns the version.
    async fn activate_for_command(
        &mut self,
        loaded: LoadedFunction,
    ) -> Result<String, DeployError> {
        let name = loaded.function.name().to_owned();
        let version = loaded.function.version().to_owned();
        match self.activate(loaded).await {
            Ok(()) => {
                self.serve();
                Ok(version)
            }
            Err(ActivateError::Audit(error)) => Err(error.into()),
            Err(ActivateError::Store(error)) => {
                self.reject(&name, &error).await?;
                self.undeploy_unless_wrapped(&name).await?;
                Err(error.into())
            }
        }
    }

    fn conflict_of(&self, function: &Function) -> Option<RouteConflict> {
        let route_holder = self.route_holder(function)?;
        Some(RouteConflict::new(function.route()?, route_holder.name()))
    }

    /// Pauses or resumes a function.
    async fn set_paused(
        &mut self,
        name: String,
        is_paused: bool,
        store: Arc<Store>,
    ) -> Result<DeployOutcome, DeployError> {
        let Some(active) = self.active(&name) else {
            return Err(DeployError::Unknown(name));
        };
        if active.is_paused() != is_paused {
            let event = if is_paused {
                Event::FunctionPaused
            } else {
                Event::FunctionResumed
            };
            self.record(Some(active.app().component()), &event).await?;
            let noted = name.clone();
            let note = move || {
                let mut record = store.record(&noted)?;
                record.paused = is_paused;
                store.set(&noted, record)
            };
            if let Err(error) = run_blocking(note).await {
                // The audit record has the change, which failed.
                self.reject(&name, &error).await?;
                return Err(error.into());
            }
            active.set_paused(is_paused);
            tracing::info!(function = name, is_paused, "paused or resumed");
        }
        let version = Some(active.version().to_owned());
        Ok(DeployOutcome {
            name,
            replaces: version.clone(),
            version,
        })
    }

    async fn remove(&mut self, name: String) -> Result<DeployOutcome, DeployError> {
        let Some(state) = self.states.get(&name) else {
            return Err(DeployError::Unknown(name));
        };
        if state.config.component.is_some() {
            return Err(DeployError::IsConfigured(name));
        }
        let replaces = state
            .active
            .as_ref()
            .map(|active| active.version().to_owned());
        self.undeploy(&name).await?;
        Ok(DeployOutcome {
            name,
            version: None,
            replaces,
        })
    }

    /// The configuration of a function, by default for a new one, and its active version.
    pub(super) fn config(&self, name: &str) -> (FunctionConfig, Option<Arc<Function>>) {
        match self.states.get(name) {
            Some(state) => (state.config.clone(), state.active.clone()),
            None => (FunctionConfig::of_name(name, self.defaults.clone()), None),
        }
    }
}

impl LoadContext {
    /// Loads the version for `command`.
    pub(super) async fn load_for_command(
        self,
        command: DeployCommand,
        config: FunctionConfig,
        active: Option<Arc<Function>>,
    ) -> CommandOutcome {
        let Some(store) = self.store.clone() else {
            return CommandOutcome::Failed(DeployError::NoState);
        };
        let found = match command {
            DeployCommand::Deploy { name, bytes } => {
                let find =
                    move || Ok::<_, FunctionError>((Part::function(bytes), store.record(&name)?));
                match run_blocking(find).await {
                    Ok(found) => found,
                    Err(error) => return CommandOutcome::Loaded(config, Err(error).into()),
                }
            }
            DeployCommand::Activate { name, version } => {
                let find = move || find(&store, &name, version.as_deref());
                match run_blocking(find).await {
                    Ok(found) => found,
                    Err(error) => return CommandOutcome::Failed(error),
                }
            }
            command => return CommandOutcome::Immediate(command),
        };
        let (component, record) = found;
        let record = record.for_config(&config);
        let loaded = self
            .load_version(config.clone(), component, record, active)
            .await;
        CommandOutcome::Loaded(config, loaded.into())
    }
}

/// A stored version of a function.
fn find(store: &Store, name: &str, version: Option<&str>) -> Result<(Part, Record), DeployError> {
    let record = store.record(name)?;
    if record.versions.is_empty() {
        return Err(DeployError::Unknown(name.to_owned()));
    }
    let sha256 = resolve_version(&record, version).ok_or_else(|| DeployError::NoVersion {
        name: name.to_owned(),
        version: version.unwrap_or("before the active one").to_owned(),
    })?;
    Ok((Part::function(store.bytes(name, &sha256)?), record))
}

/// Minimum number of digits of a version prefix.
const MIN_DIGITS: usize = 8;

/// The version with this prefix, or by default the previous one.
fn resolve_version(record: &Record, version: Option<&str>) -> Option<String> {
    let Some(version) = version else {
        if record.removed.is_some() {
            return record.active.clone();
        }
        return record.previous().map(ToOwned::to_owned);
    };
    let matches = |sha256: &str| sha256.starts_with(version) && version.len() >= MIN_DIGITS;
    let mut candidates = record.versions.iter().map(|version| &version.sha256);
    let found = candidates.find(|sha256| matches(sha256))?;
    // An ambiguous prefix matches none.
    let is_only = !candidates.any(|sha256| matches(sha256));
    is_only.then(|| found.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_prefix_must_be_unique_and_of_8_digits() {
        let mut record = Record::default();
        let versions = ["aaaaaaaa1", "aaaaaaaa2", "bbbbbbbb1"];
        for version in versions {
            record.activate(version);
        }
        let found = |version| resolve_version(&record, version);
        assert_eq!(found(Some("bbbbbbbb")).as_deref(), Some("bbbbbbbb1"));
        assert_eq!(found(Some("aaaaaaaa")), None);
        assert_eq!(found(Some("aaaaaaaa2")).as_deref(), Some("aaaaaaaa2"));
        assert_eq!(found(Some("b")), None);
        assert_eq!(found(None).as_deref(), Some("aaaaaaaa2"));
    }

    #[test]
    fn rollback_of_a_removed_function_selects_the_last_active_version() {
        let mut record = Record::default();
        for version in ["aaaaaaaa1", "bbbbbbbb1"] {
            record.activate(version);
        }
        record.removed = Some("2026-01-01T00:00:00Z".to_owned());
        assert_eq!(resolve_version(&record, None).as_deref(), Some("bbbbbbbb1"));
    }
}
