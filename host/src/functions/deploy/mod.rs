//! From what is wanted to what is served.
//!
//! - this file: [`Deployer`], what is wanted and what is served.
//! - `scan.rs`: what is wanted, and which files it is in.
//! - `tasks.rs`: which functions are being loaded; `change.rs`: loading one.
//! - `tell.rs`: what is told of those that cannot be served.
//! - `removal.rs`: functions that are served no more.
//! - `exchange.rs`: functions that take over routes of each other.
//! - `control.rs`: what an operator orders; `orders.rs`: how it is done.

mod change;
mod control;
mod exchange;
mod orders;
mod removal;
mod scan;
mod tasks;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use audit_log::AppendError;
use audit_log::event::Event;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::cause::chain;
use super::declaration::{Declaration, Declared, Wish};
use super::function::Function;
use super::load::{self, Loader, RegisterError};
use super::stamp::Stamp;
use super::store::Store;
use super::table::{Functions, Table};
use crate::guest::Part;
use change::{Change, Loaded, Means};
pub use control::{Answer, Control, ControlError, Order, Waiting};
use removal::RemovalDelay;
use scan::{Scan, Stamps};
pub use tasks::Finished;
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
    defaults: Arc<Wish>,
    /// What the adapters were read from.
    adapter_stamps: Stamps,
    /// By name.
    known: BTreeMap<String, Known>,
    /// What is wrong beside the functions, so that it is told once.
    problems: BTreeSet<String>,
    /// Delays the removal of all functions.
    removal_delay: RemovalDelay,
    /// What is being loaded. Children that compile are killed when this is dropped.
    tasks: Tasks,
    /// Functions that are loaded, and want routes of others that may give them away.
    waiting: Vec<Loaded>,
    /// How many orders are worked on, or wait for one before them.
    orders: usize,
}

/// What is known of one function.
struct Known {
    /// What was wanted when it was looked at last.
    declared: Declared,
    /// Of which files. None if it has to be looked at again in any case.
    stamps: Option<Stamps>,
    /// What is served of it.
    active: Option<Arc<Function>>,
    /// Whether what was wanted last cannot be served.
    is_refused: bool,
    /// Its place among all that are wanted. Of two that want one route, the first gets it.
    rank: usize,
}

impl Known {
    /// Nothing of it is served yet.
    fn new(declared: Declared) -> Self {
        Self {
            declared,
            stamps: None,
            active: None,
            is_refused: false,
            rank: usize::MAX,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many functions are served.
    pub served: usize,
    /// How many things are not as they should be.
    pub refused: usize,
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
            defaults: Arc::new(Err("nothing is known of functions yet".to_owned())),
            adapter_stamps: Vec::new(),
            known: BTreeMap::new(),
            problems: BTreeSet::new(),
            removal_delay: RemovalDelay::default(),
            tasks: Tasks::default(),
            waiting: Vec::new(),
            orders: 0,
        }
    }

    /// Begins to load what `declaration` wants, as far as it is not served already. Returns
    /// when to apply the same declaration again: if it removes all functions, that takes some
    /// time without a change.
    ///
    /// # Errors
    ///
    /// Fails if the audit log takes no record of a change. That change is not made, and is
    /// tried again the next time.
    pub async fn apply(
        &mut self,
        declaration: &Declaration,
    ) -> Result<Option<Instant>, AppendError> {
        let (wants, store) = (declaration.clone(), self.store.clone());
        let scan = spawn_blocking(move || Scan::of(&wants, store.as_deref())).await;
        let Ok(mut scan) = scan else {
            return Ok(None);
        };
        self.defaults = declaration.defaults.clone();
        let has_new_adapters = scan.adapters != self.adapter_stamps
            && self.read_adapters(declaration, &mut scan).await;
        if let Some(at) = self.delays_removal(&scan) {
            return Ok(Some(at));
        }
        self.tell(scan.problems);
        if scan.is_complete {
            self.remove_all_but(&scan.wanted).await?;
        }
        let mut wanted: Vec<_> = scan.wanted.into_iter().enumerate().collect();
        // The smallest first, so that it does not wait until the largest is compiled.
        let bytes = |stamps: &Stamps| stamps.iter().flatten().map(Stamp::bytes).sum::<u64>();
        wanted.sort_by_key(|(_, (_, stamps))| bytes(stamps));
        for (rank, (declared, stamps)) in wanted {
            self.look_at(declared, stamps, rank, has_new_adapters);
        }
        Ok(None)
    }

    /// A function whose loading has ended. It can be called again if it was dropped.
    pub async fn finished(&mut self) -> Finished {
        self.tasks.finished().await
    }

    /// Serves a function whose loading has ended, if it should be.
    ///
    /// # Errors
    ///
    /// Fails like [`apply`](Self::apply).
    pub async fn finish(&mut self, finished: Finished) -> Result<(), AppendError> {
        let Finished { name, outcome } = finished;
        let done = match outcome {
            Outcome::Looked(change) => self.looked(&name, *change).await,
            Outcome::Ordered(ordered, reply) => {
                let answer = self.ordered(ordered).await;
                // The operator may be gone.
                let _ = reply.send(answer);
                Ok(())
            }
        };
        if let Some(next) = self.tasks.next(&name) {
            self.start(next);
        }
        if self.tasks.is_empty() && !self.waiting.is_empty() {
            let mut waiting = std::mem::take(&mut self.waiting);
            waiting.retain(|loaded| self.known.contains_key(loaded.function.name()));
            waiting.sort_by_key(|loaded| self.known.get(loaded.function.name()).map(|f| f.rank));
            self.exchange_routes(waiting).await?;
        }
        done
    }

    /// Waits until everything is loaded.
    ///
    /// # Errors
    ///
    /// Fails like [`apply`](Self::apply).
    pub async fn settle(&mut self) -> Result<Summary, AppendError> {
        while !self.tasks.is_empty() {
            let finished = self.finished().await;
            self.finish(finished).await?;
        }
        Ok(self.summary())
    }

    /// Begins a task, or lets it wait for the one before it for the same function.
    fn begin(&mut self, task: Task) {
        if let Some(task) = self.tasks.admit(task) {
            self.start(task);
        }
    }

    fn start(&mut self, task: Task) {
        let means = self.means();
        match task {
            Task::Look(declared) => {
                let name = declared.name.clone();
                let active = self.known.get(&name);
                let active = active.and_then(|known| known.active.clone());
                self.tasks.spawn(async move {
                    let outcome = Outcome::Looked(means.change(declared, active).await.into());
                    Finished { name, outcome }
                });
            }
            Task::Order(order, reply) => {
                let name = order.name().to_owned();
                let (declared, active) = self.declared(&name);
                self.tasks.spawn(async move {
                    let ordered = means.order(order, declared, active).await;
                    let outcome = Outcome::Ordered(ordered, reply);
                    Finished { name, outcome }
                });
            }
        }
    }

    fn summary(&self) -> Summary {
        let refused = self.known.values().filter(|known| known.is_refused);
        Summary {
            refused: refused.count() + self.problems.len(),
            served: self.functions.table().functions().len(),
        }
    }

    /// Reads the adapters anew. Returns whether that worked.
    async fn read_adapters(&mut self, declaration: &Declaration, scan: &mut Scan) -> bool {
        match self.new_adapters(declaration).await {
            Ok(adapters) => {
                self.adapters = adapters.into();
                self.adapter_stamps.clone_from(&scan.adapters);
                true
            }
            Err(error) => {
                let text = format!("the adapters stay as they were: {}", chain(&error));
                scan.problems.insert(text);
                false
            }
        }
    }

    async fn new_adapters(&self, declaration: &Declaration) -> Result<Vec<Part>, RegisterError> {
        let declaration = declaration.clone();
        let max_bytes = self.loader.max_component_bytes;
        let read = spawn_blocking(move || load::read_adapters(&declaration, max_bytes)).await;
        let adapters = read.map_err(|error| RegisterError::Panicked(error.to_string()))??;
        load::check_adapters(&self.loader.compiler, &adapters).await?;
        Ok(adapters)
    }

    /// Looks whether anything about a function has changed, and begins to load it if it has.
    fn look_at(&mut self, declared: Declared, stamps: Stamps, rank: usize, has_new_adapters: bool) {
        let known = self.known.entry(declared.name.clone());
        let known = known.or_insert_with(|| Known::new(declared.clone()));
        known.rank = rank;
        let is_same = known.declared == declared && known.stamps.as_ref() == Some(&stamps);
        if is_same && !has_new_adapters {
            return;
        }
        known.declared = declared.clone();
        known.stamps = Some(stamps);
        self.begin(Task::Look(declared));
    }

    /// Serves what was loaded, or keeps it until it can have its route.
    async fn looked(&mut self, name: &str, change: Change) -> Result<(), AppendError> {
        let Change { loaded, problem } = change;
        // What waited for its route is what was wanted before.
        self.waiting.retain(|other| other.function.name() != name);
        // It may have been removed meanwhile.
        let Some(known) = self.known.get_mut(name) else {
            return Ok(());
        };
        known.is_refused = false;
        match problem {
            Some(error) => {
                self.refuse(name, &error).await?;
                if loaded.is_none() {
                    self.withdraw_unless_wrapped(name).await?;
                }
            }
            None => self.functions.set_problem(name, None),
        }
        let Some(loaded) = loaded else {
            return Ok(());
        };
        if !self.is_wrapped_as_declared(&loaded.function) {
            // Other middleware was declared meanwhile, and a task for it follows.
            return Ok(());
        }
        if self.holder(&loaded.function).is_some() || self.is_contested(&loaded.function) {
            self.waiting.push(loaded);
            return Ok(());
        }
        self.activate(loaded).await?;
        self.serve();
        Ok(())
    }

    /// Whether the requests of a function go through the middleware that is declared now.
    fn is_wrapped_as_declared(&self, function: &Function) -> bool {
        let known = self.known.get(function.name());
        known.is_some_and(|known| function.is_wrapped_as(&known.declared))
    }

    fn means(&self) -> Means {
        Means {
            loader: self.loader.clone(),
            adapters: self.adapters.clone(),
            store: self.store.clone(),
        }
    }

    /// Lets a function be served the next time that [`serve`](Self::serve) is called.
    async fn activate(&mut self, loaded: Loaded) -> Result<(), AppendError> {
        let Loaded {
            function,
            mut record,
        } = loaded;
        let name = function.name().to_owned();
        let active = self
            .known
            .get(&name)
            .and_then(|known| known.active.as_ref());
        if let Some(active) = active {
            // It may have been paused or resumed while this was loaded.
            record.paused = active.is_paused();
            function.set_paused(record.paused);
        }
        let replaces = active.map(|active| active.version().to_owned());
        let event = Event::ComponentLoad {
            replaces: active.map(|active| active.component().into()),
        };
        let recorded = self.record(Some(function.app().component()), &event).await;
        let is_recorded = recorded.is_ok();
        let mut noted = Ok(());
        if let Some(store) = self.store.clone()
            && is_recorded
        {
            let name = name.clone();
            let set = spawn_blocking(move || store.set(&name, record)).await;
            noted = set.unwrap_or(Ok(()));
        }
        let Some(known) = self.known.get_mut(&name) else {
            return recorded;
        };
        if !is_recorded || noted.is_err() {
            // It is tried again the next time.
            known.stamps = None;
            known.is_refused = true;
        }
        if let Err(error) = noted {
            self.refuse(&name, &error).await?;
            self.withdraw_unless_wrapped(&name).await?;
        } else if is_recorded {
            tracing::info!(
                function = name,
                version = function.version(),
                component = function.component(),
                replaces,
                route = function.route().map(tracing::field::display),
                "deployed"
            );
            function.count();
            known.active = Some(Arc::new(function));
        }
        recorded
    }

    /// Serves all that is active.
    fn serve(&self) {
        let mut table = Table::default();
        let active = self
            .known
            .values()
            .filter_map(|known| known.active.as_ref());
        for function in active {
            if let Err(conflict) = table.add(function.clone()) {
                // Nobody is activated at the route of another one.
                tracing::error!(function = function.name(), "not served: {conflict}");
            }
        }
        self.functions.replace(table);
    }
}
