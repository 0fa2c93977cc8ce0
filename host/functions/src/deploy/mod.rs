//! The deployer: reconciliation of the served functions with the configured ones.
//!
//! - this file: [`Deployer`] and [`FunctionState`], the desired and the served state of a function.
//! - `scan.rs`: the desired functions and the files that they come from.
//! - `tasks.rs`: one load at a time per function, several functions at once; `load_context.rs`:
//!   one load.
//! - `activate.rs`: serving a loaded version; `adapters.rs`: reading the adapters again.
//! - `route_swap.rs`: functions that take over each other's routes.
//! - `removal.rs`: functions that are not configured any more.
//! - `report.rs`: errors in the log and the audit log; `stable_files.rs`: files that may still be
//!   incomplete; `startup.rs`: progress of the first load.
//! - `command.rs`: [`DeployCommand`], commands of the admin interface; `execute.rs`: their
//!   execution.

mod activate;
mod adapters;
mod command;
mod execute;
mod load_context;
mod removal;
mod report;
mod route_swap;
mod scan;
mod stable_files;
mod startup;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use audit_log::AppendError;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::config::{FunctionConfig, FunctionsConfig, ResolvedSettings};
use super::file_fingerprint::FileFingerprint;
use super::function::Function;
use super::load::Loader;
use super::store::Store;
use super::table::Functions;
pub use command::{DeployCommand, DeployError, DeployHandle, DeployOutcome, PendingCommand};
use engine::Part;

use load_context::{LoadContext, LoadOutcome, LoadedFunction};
use scan::{Fingerprints, Scan};
use stable_files::{Deferred, STABLE_PERIOD, StableSince, are_same_files};
use startup::Startup;
pub use tasks::FinishedTask;
use tasks::{Outcome, Task, Tasks};

/// Reconciles the served functions with the configured ones. Functions load concurrently, and each
/// is served as soon as it is loaded: [`finished`](Self::finished) and [`finish`](Self::finish)
/// drive that.
///
/// A version that cannot be served changes nothing: the previous version stays active, unless its
/// requests would bypass the configured middleware. The error is reported once, in the log and in
/// the audit log, and again after a change.
///
/// Each change is recorded in the audit log before it is made. If the audit log cannot be written,
/// nothing changes.
pub struct Deployer {
    functions: Arc<Functions>,
    loader: Arc<Loader>,
    adapters: Arc<[Part]>,
    /// The store of versions, if any.
    store: Option<Arc<Store>>,
    /// Settings of a function that has a name only.
    defaults: Arc<ResolvedSettings>,
    /// Fingerprints of the adapters in use.
    adapter_fingerprints: Fingerprints,
    /// Files of adapters with an error.
    rejected_adapters: StableSince,
    /// By name.
    states: BTreeMap<String, FunctionState>,
    /// Errors that belong to no function, for reporting each once.
    problems: BTreeSet<String>,
    /// The configuration files of a pending removal of all functions.
    pending_removal: StableSince,
    /// The configuration file with an error.
    rejected_config: StableSince,
    start: Startup,
    /// Load tasks. Dropping them kills compile children.
    tasks: Tasks,
    /// Loaded functions whose routes other functions may release.
    waiting_for_route: Vec<LoadedFunction>,
}

/// The desired and the served state of one function.
struct FunctionState {
    /// Its configuration at the last scan.
    config: FunctionConfig,
    /// Fingerprints of its files. None forces a reload.
    fingerprints: Option<Fingerprints>,
    /// The version that is served.
    active: Option<Arc<Function>>,
    /// Time of the last change of these files.
    changed: Instant,
    /// Whether its configuration was rejected.
    is_rejected: bool,
    /// The error, while the files may be incomplete.
    deferred: Option<Deferred>,
    /// Whether it is loading, or queued for it.
    is_loading: bool,
    /// Its position in the configuration. Of two functions with one route, the first gets it.
    priority: usize,
}

impl FunctionState {
    /// The state before its first load.
    fn new(config: FunctionConfig) -> Self {
        Self {
            config,
            fingerprints: None,
            active: None,
            changed: Instant::now(),
            is_rejected: false,
            deferred: None,
            is_loading: false,
            priority: usize::MAX,
        }
    }
}

impl Deployer {
    /// A deployer without functions.
    #[must_use]
    pub fn new(functions: Arc<Functions>, loader: Loader, store: Option<Arc<Store>>) -> Self {
        Self {
            functions,
            loader: Arc::new(loader),
            adapters: Arc::new([]),
            store,
            defaults: Arc::new(Err("the configuration is not loaded yet".to_owned())),
            adapter_fingerprints: Vec::new(),
            rejected_adapters: StableSince::default(),
            states: BTreeMap::new(),
            problems: BTreeSet::new(),
            pending_removal: StableSince::default(),
            rejected_config: StableSince::default(),
            start: Startup::default(),
            tasks: Tasks::default(),
            waiting_for_route: Vec::new(),
        }
    }

    /// Starts to load the configured functions, except those that are served already.
    ///
    /// # Errors
    ///
    /// Fails if the audit log cannot record a change. The change is not made, and the next call
    /// retries it.
    pub async fn apply(&mut self, functions_config: &FunctionsConfig) -> Result<(), AppendError> {
        let (wants, store) = (functions_config.clone(), self.store.clone());
        let scan = spawn_blocking(move || Scan::of(&wants, store.as_deref())).await;
        let Ok(mut scan) = scan else {
            return Ok(());
        };
        self.rejected_config.reset();
        self.defaults = functions_config.defaults.clone();
        let has_new_adapters = scan.adapters != self.adapter_fingerprints
            && self.read_adapters(functions_config, &mut scan).await;
        if self.delays_removal(&scan) {
            return Ok(());
        }
        self.report(scan.problems);
        if scan.is_complete {
            self.remove_all_but(&scan.desired).await?;
        }
        let mut desired: Vec<_> = scan.desired.into_iter().enumerate().collect();
        // The smallest first: it does not wait for the largest one to compile.
        let bytes = |fingerprints: &Fingerprints| {
            fingerprints
                .iter()
                .flatten()
                .map(FileFingerprint::bytes)
                .sum::<u64>()
        };
        desired.sort_by_key(|(_, (_, fingerprints))| bytes(fingerprints));
        for (priority, (config, fingerprints)) in desired {
            self.reconcile(config, fingerprints, priority, has_new_adapters);
        }
        self.begin_startup();
        let reported = self.report_stable().await;
        self.update_startup();
        reported
    }

    /// The next time after `now` to apply the configuration without a change: for a pending removal
    /// of all functions, or for deferred errors.
    #[must_use]
    pub fn next_apply(&self, now: Instant) -> Option<Instant> {
        let pending_removal = self
            .pending_removal
            .since()
            .map(|since| since + removal::DELAY);
        let bad = [&self.rejected_config, &self.rejected_adapters].map(StableSince::since);
        let deferred = self
            .states
            .values()
            .filter(|state| state.deferred.is_some());
        let deferred = deferred.map(|state| state.changed);
        let stable_files = deferred.chain(bad.into_iter().flatten());
        stable_files
            .map(|since| since + STABLE_PERIOD)
            .chain(pending_removal)
            .filter(|&at| at > now)
            .min()
    }

    /// Waits for a function whose load has finished. It is cancel safe.
    pub async fn finished(&mut self) -> FinishedTask {
        self.tasks.finished().await
    }

    /// Activates a function whose load has finished, or reports its error.
    ///
    /// # Errors
    ///
    /// Fails like [`apply`](Self::apply).
    pub async fn finish(&mut self, finished: FinishedTask) -> Result<(), AppendError> {
        let FinishedTask { name, outcome } = finished;
        let done = match outcome {
            Outcome::Loaded(outcome) => self.finish_load(&name, *outcome).await,
            Outcome::Executed(outcome, reply) => {
                let response = self.finish_command(outcome).await;
                // The operator may have disconnected.
                let _ = reply.send(response);
                Ok(())
            }
        };
        if let Some(next) = self.tasks.next(&name) {
            self.start(next);
        }
        self.update_startup();
        if self.tasks.is_empty() && !self.waiting_for_route.is_empty() {
            let mut waiting = std::mem::take(&mut self.waiting_for_route);
            waiting.retain(|loaded| self.states.contains_key(loaded.function.name()));
            waiting
                .sort_by_key(|loaded| self.states.get(loaded.function.name()).map(|f| f.priority));
            let swapped = self.swap_routes(waiting).await;
            self.update_startup();
            swapped?;
        }
        done
    }

    /// Starts a task, or queues it after the previous task of the same function.
    fn submit(&mut self, task: Task) {
        if let Some(task) = self.tasks.admit(task) {
            self.start(task);
        }
    }

    fn start(&mut self, task: Task) {
        let context = self.load_context();
        match task {
            Task::Load(config) => {
                let name = config.name.clone();
                let mut active = None;
                if let Some(state) = self.states.get_mut(&name) {
                    state.is_loading = true;
                    active.clone_from(&state.active);
                }
                self.tasks.load(name, context.load_desired(config, active));
            }
            Task::Execute(command, reply) => {
                let name = command.name().to_owned();
                let (config, active) = self.config(&name);
                let load = context.load_for_command(command, config, active);
                self.tasks.execute(name, reply, load);
            }
        }
    }

    /// Compares a function with its configuration, and starts a load if it has changed.
    fn reconcile(
        &mut self,
        config: FunctionConfig,
        fingerprints: Fingerprints,
        priority: usize,
        has_new_adapters: bool,
    ) {
        let state = self.states.entry(config.name.clone());
        let state = state.or_insert_with(|| FunctionState::new(config.clone()));
        state.priority = priority;
        let is_same = state.config == config && state.fingerprints.as_ref() == Some(&fingerprints);
        if is_same && !has_new_adapters {
            return;
        }
        let before = state.fingerprints.as_deref().unwrap_or_default();
        let are_written = state.config == config && are_same_files(before, &fingerprints);
        if state.fingerprints.as_ref() != Some(&fingerprints) {
            state.changed = Instant::now();
        }
        state.config = config.clone();
        state.fingerprints = Some(fingerprints);
        if state.deferred.is_some() && are_written {
            // The load starts once the files are stable.
            return;
        }
        self.load(config);
    }

    /// Starts a load of the configuration of a function.
    fn load(&mut self, config: FunctionConfig) {
        if let Some(state) = self.states.get_mut(&config.name) {
            state.deferred = None;
        }
        self.submit(Task::Load(config));
    }

    /// Activates a loaded version, or keeps it until its route is free.
    async fn finish_load(&mut self, name: &str, outcome: LoadOutcome) -> Result<(), AppendError> {
        let LoadOutcome { loaded, problem } = outcome;
        // A version that waits for its route is outdated now.
        self.forget_waiting(name);
        // The function may have been removed meanwhile.
        let Some(state) = self.states.get_mut(name) else {
            return Ok(());
        };
        state.is_rejected = false;
        state.is_loading = false;
        state.deferred = None;
        match problem {
            Some(error) if loaded.is_none() && self.may_be_incomplete(name, &error) => {
                self.defer(name, error);
            }
            Some(error) => {
                self.reject(name, &error).await?;
                if loaded.is_none() {
                    self.undeploy_unless_wrapped(name).await?;
                }
            }
            None => self.functions.set_problem(name, None),
        }
        let Some(loaded) = loaded else {
            return Ok(());
        };
        if !self.is_wrapped_as_configured(&loaded.function) {
            // The configured middleware changed meanwhile, and a task for it follows.
            self.set_loading(name);
            return Ok(());
        }
        if self.route_holder(&loaded.function).is_some()
            || self.is_route_contested(&loaded.function)
        {
            self.waiting_for_route.push(loaded);
            self.set_loading(name);
            return Ok(());
        }
        if let Err(error) = self.activate(loaded).await {
            self.reject_activation(name, error).await?;
        }
        self.serve();
        Ok(())
    }

    /// Whether the requests of a function go through the configured middleware.
    fn is_wrapped_as_configured(&self, function: &Function) -> bool {
        let state = self.states.get(function.name());
        state.is_some_and(|state| function.is_wrapped_as(&state.config))
    }

    fn load_context(&self) -> LoadContext {
        LoadContext {
            loader: self.loader.clone(),
            adapters: self.adapters.clone(),
            store: self.store.clone(),
        }
    }
}
