//! From what is wanted to what is served.
//!
//! - this file: [`Deployer`], what is wanted and what is served.
//! - `scan.rs`: what is wanted, and which files it is in.
//! - `tasks.rs`: which functions are being loaded; `change.rs`: loading one.
//! - `tell.rs`: what is told of those that cannot be served.
//! - `start.rs`: which of those that were wanted at the start are served or refused.
//! - `settling.rs`: files that may still be written.
//! - `removal.rs`: functions that are served no more.
//! - `exchange.rs`: functions that take over routes of each other.
//! - `adapters.rs`: reading the adapters; `activate.rs`: serving what is loaded.
//! - `control.rs`: what an operator orders; `orders.rs`: how it is done.

mod activate;
mod adapters;
mod change;
mod control;
mod exchange;
mod orders;
mod removal;
mod scan;
mod settling;
mod start;
mod tasks;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use audit_log::AppendError;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::declaration::{Declaration, Declared, Wish};
use super::function::Function;
use super::load::Loader;
use super::stamp::Stamp;
use super::store::Store;
use super::table::Functions;
use change::{Change, Loaded, Means};
pub use control::{Answer, Control, ControlError, Order, Waiting};
use engine::Part;
use scan::{Scan, Stamps};
use settling::{Deferred, SETTLING_TIME, Unchanged, are_same_files};
use start::Start;
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
    /// The files of adapters that cannot be used.
    bad_adapters: Unchanged,
    /// By name.
    known: BTreeMap<String, Known>,
    /// What is wrong beside the functions, so that it is told once.
    problems: BTreeSet<String>,
    /// The documents by which all functions are removed.
    emptied: Unchanged,
    /// The file that does not say what is wanted.
    bad_document: Unchanged,
    start: Start,
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
    /// Since when those files are as they are.
    changed: Instant,
    /// Whether what was wanted last cannot be served.
    is_refused: bool,
    /// Why that is so, where the files may still be written.
    deferred: Option<Deferred>,
    /// Whether it is being loaded, or will be.
    is_loading: bool,
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
            changed: Instant::now(),
            is_refused: false,
            deferred: None,
            is_loading: false,
            rank: usize::MAX,
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
            defaults: Arc::new(Err("nothing is known of functions yet".to_owned())),
            adapter_stamps: Vec::new(),
            bad_adapters: Unchanged::default(),
            known: BTreeMap::new(),
            problems: BTreeSet::new(),
            emptied: Unchanged::default(),
            bad_document: Unchanged::default(),
            start: Start::default(),
            tasks: Tasks::default(),
            waiting: Vec::new(),
            orders: 0,
        }
    }

    /// Begins to load what `declaration` wants, as far as it is not served already.
    ///
    /// # Errors
    ///
    /// Fails if the audit log takes no record of a change. That change is not made, and is
    /// tried again the next time.
    pub async fn apply(&mut self, declaration: &Declaration) -> Result<(), AppendError> {
        let (wants, store) = (declaration.clone(), self.store.clone());
        let scan = spawn_blocking(move || Scan::of(&wants, store.as_deref())).await;
        let Ok(mut scan) = scan else {
            return Ok(());
        };
        self.bad_document.forget();
        self.defaults = declaration.defaults.clone();
        let has_new_adapters = scan.adapters != self.adapter_stamps
            && self.read_adapters(declaration, &mut scan).await;
        if self.delays_removal(&scan) {
            return Ok(());
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
        self.begin_start();
        let reported = self.report_settled().await;
        self.follow_start();
        reported
    }

    /// When to apply what is wanted again after `now`, even without a change: to remove all
    /// functions, or to report what is wrong with files that have not changed since.
    #[must_use]
    pub fn again(&self, now: Instant) -> Option<Instant> {
        let emptied = self.emptied.noted().map(|since| since + removal::DELAY);
        let bad = [&self.bad_document, &self.bad_adapters].map(Unchanged::noted);
        let deferred = self.known.values().filter(|known| known.deferred.is_some());
        let deferred = deferred.map(|known| known.changed);
        let settling = deferred.chain(bad.into_iter().flatten());
        settling
            .map(|since| since + SETTLING_TIME)
            .chain(emptied)
            .filter(|&at| at > now)
            .min()
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
        self.follow_start();
        if self.tasks.is_empty() && !self.waiting.is_empty() {
            let mut waiting = std::mem::take(&mut self.waiting);
            waiting.retain(|loaded| self.known.contains_key(loaded.function.name()));
            waiting.sort_by_key(|loaded| self.known.get(loaded.function.name()).map(|f| f.rank));
            let exchanged = self.exchange_routes(waiting).await;
            self.follow_start();
            exchanged?;
        }
        done
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
                let mut active = None;
                if let Some(known) = self.known.get_mut(&name) {
                    known.is_loading = true;
                    active.clone_from(&known.active);
                }
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

    /// Looks whether anything about a function has changed, and begins to load it if it has.
    fn look_at(&mut self, declared: Declared, stamps: Stamps, rank: usize, has_new_adapters: bool) {
        let known = self.known.entry(declared.name.clone());
        let known = known.or_insert_with(|| Known::new(declared.clone()));
        known.rank = rank;
        let is_same = known.declared == declared && known.stamps.as_ref() == Some(&stamps);
        if is_same && !has_new_adapters {
            return;
        }
        let before = known.stamps.as_deref().unwrap_or_default();
        let are_written = known.declared == declared && are_same_files(before, &stamps);
        if known.stamps.as_ref() != Some(&stamps) {
            known.changed = Instant::now();
        }
        known.declared = declared.clone();
        known.stamps = Some(stamps);
        if known.deferred.is_some() && are_written {
            // It is loaded when nothing more is written.
            return;
        }
        self.load(declared);
    }

    /// Begins to load what is wanted of a function.
    fn load(&mut self, declared: Declared) {
        if let Some(known) = self.known.get_mut(&declared.name) {
            known.deferred = None;
        }
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
        known.is_loading = false;
        known.deferred = None;
        match problem {
            Some(error) if loaded.is_none() && self.may_be_unfinished(name, &error) => {
                self.defer(name, error);
            }
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
            self.set_loading(name);
            return Ok(());
        }
        if self.holder(&loaded.function).is_some() || self.is_contested(&loaded.function) {
            self.waiting.push(loaded);
            self.set_loading(name);
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
}
