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

/// Brings what is served in line with what is wanted. Functions are loaded at the same time,
/// and each is served as soon as it is loaded: call [`finished`](Self::finished) and
/// [`finish`](Self::finish) for that.
///
/// What cannot be served changes nothing: the version that was served before goes on, unless
/// its requests would not go through the middleware that is declared now. Why that is so is
/// logged once, there and in the audit log, and again when something about it has changed.
///
/// The audit log has a record of each change before the change is made. Without it, nothing
/// changes.
pub struct Deployer {
    functions: Arc<Functions>,
    loader: Arc<Loader>,
    adapters: Arc<[Part]>,
    /// Where versions are kept, if they are.
    store: Option<Arc<Store>>,
    /// What a function gets of which nothing else is known than its name.
    defaults: Arc<ResolvedSettings>,
    /// What the adapters were read from.
    adapter_fingerprints: Fingerprints,
    /// The files of adapters that cannot be used.
    bad_adapters: StableSince,
    /// By name.
    states: BTreeMap<String, FunctionState>,
    /// What is wrong beside the functions, so that it is told once.
    problems: BTreeSet<String>,
    /// The documents by which all functions are removed.
    removes_all: StableSince,
    /// The file that does not say what is wanted.
    bad_document: StableSince,
    start: Startup,
    /// What is being loaded. Children that compile are killed when this is dropped.
    tasks: Tasks,
    /// Functions that are loaded, and want routes of others that may give them away.
    waiting_for_route: Vec<LoadedFunction>,
    /// How many orders are worked on, or wait for one before them.
    pending_commands: usize,
}

/// What is known of one function.
struct FunctionState {
    /// What was wanted when it was looked at last.
    config: FunctionConfig,
    /// Of which files. None if it has to be looked at again in any case.
    fingerprints: Option<Fingerprints>,
    /// What is served of it.
    active: Option<Arc<Function>>,
    /// Since when those files are as they are.
    changed: Instant,
    /// Whether what was wanted last cannot be served.
    is_rejected: bool,
    /// Why that is so, where the files may still be written.
    deferred: Option<Deferred>,
    /// Whether it is being loaded, or will be.
    is_loading: bool,
    /// Its place among all that are wanted. Of two that want one route, the first gets it.
    priority: usize,
}

impl FunctionState {
    /// Nothing of it is served yet.
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
    /// Nothing is served yet.
    #[must_use]
    pub fn new(functions: Arc<Functions>, loader: Loader, store: Option<Arc<Store>>) -> Self {
        Self {
            functions,
            loader: Arc::new(loader),
            adapters: Arc::new([]),
            store,
            defaults: Arc::new(Err("the configuration is not loaded yet".to_owned())),
            adapter_fingerprints: Vec::new(),
            bad_adapters: StableSince::default(),
            states: BTreeMap::new(),
            problems: BTreeSet::new(),
            removes_all: StableSince::default(),
            bad_document: StableSince::default(),
            start: Startup::default(),
            tasks: Tasks::default(),
            waiting_for_route: Vec::new(),
            pending_commands: 0,
        }
    }

    /// Begins to load what `functions_config` wants, as far as it is not served already.
    ///
    /// # Errors
    ///
    /// Fails if the audit log takes no record of a change. That change is not made, and is
    /// tried again the next time.
    pub async fn apply(&mut self, functions_config: &FunctionsConfig) -> Result<(), AppendError> {
        let (wants, store) = (functions_config.clone(), self.store.clone());
        let scan = spawn_blocking(move || Scan::of(&wants, store.as_deref())).await;
        let Ok(mut scan) = scan else {
            return Ok(());
        };
        self.bad_document.reset();
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
        // The smallest first, so that it does not wait until the largest is compiled.
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

    /// When to apply what is wanted again after `now`, even without a change: to remove all
    /// functions, or to report what is wrong with files that have not changed since.
    #[must_use]
    pub fn next_apply(&self, now: Instant) -> Option<Instant> {
        let removes_all = self.removes_all.since().map(|since| since + removal::DELAY);
        let bad = [&self.bad_document, &self.bad_adapters].map(StableSince::since);
        let deferred = self
            .states
            .values()
            .filter(|state| state.deferred.is_some());
        let deferred = deferred.map(|state| state.changed);
        let stable_files = deferred.chain(bad.into_iter().flatten());
        stable_files
            .map(|since| since + STABLE_PERIOD)
            .chain(removes_all)
            .filter(|&at| at > now)
            .min()
    }

    /// A function whose loading has ended. It can be called again if it was dropped.
    pub async fn finished(&mut self) -> FinishedTask {
        self.tasks.finished().await
    }

    /// Serves a function whose loading has ended, if it should be.
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
                // The operator may be gone.
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

    /// Begins a task, or lets it wait for the one before it for the same function.
    fn submit(&mut self, task: Task) {
        if let Some(task) = self.tasks.admit(task) {
            self.start(task);
        }
    }

    fn start(&mut self, task: Task) {
        let context = self.context();
        match task {
            Task::Load(config) => {
                let name = config.name.clone();
                let mut active = None;
                if let Some(state) = self.states.get_mut(&name) {
                    state.is_loading = true;
                    active.clone_from(&state.active);
                }
                self.tasks.spawn(async move {
                    let outcome =
                        Outcome::Loaded(context.load_desired(config, active).await.into());
                    FinishedTask { name, outcome }
                });
            }
            Task::Execute(command, reply) => {
                let name = command.name().to_owned();
                let (config, active) = self.config(&name);
                self.tasks.spawn(async move {
                    let executed = context.load_for_command(command, config, active).await;
                    let outcome = Outcome::Executed(executed, reply);
                    FinishedTask { name, outcome }
                });
            }
        }
    }

    /// Looks whether anything about a function has changed, and begins to load it if it has.
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
            // It is loaded when nothing more is written.
            return;
        }
        self.load(config);
    }

    /// Begins to load what is wanted of a function.
    fn load(&mut self, config: FunctionConfig) {
        if let Some(state) = self.states.get_mut(&config.name) {
            state.deferred = None;
        }
        self.submit(Task::Load(config));
    }

    /// Serves what was loaded, or keeps it until it can have its route.
    async fn finish_load(
        &mut self,
        name: &str,
        load_desired: LoadOutcome,
    ) -> Result<(), AppendError> {
        let LoadOutcome { loaded, problem } = load_desired;
        // What waited for its route is what was wanted before.
        self.waiting_for_route
            .retain(|other| other.function.name() != name);
        // It may have been removed meanwhile.
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
        if !self.is_wrapped_as_declared(&loaded.function) {
            // Other middleware was declared meanwhile, and a task for it follows.
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
        self.activate(loaded).await?;
        self.serve();
        Ok(())
    }

    /// Whether the requests of a function go through the middleware that is declared now.
    fn is_wrapped_as_declared(&self, function: &Function) -> bool {
        let state = self.states.get(function.name());
        state.is_some_and(|state| function.is_wrapped_as(&state.config))
    }

    fn context(&self) -> LoadContext {
        LoadContext {
            loader: self.loader.clone(),
            adapters: self.adapters.clone(),
            store: self.store.clone(),
        }
    }
}
