//! From what is wanted to what is served.
//!
//! - this file: [`Deployer`], one function after the other.
//! - `scan.rs`: what is wanted, and which files it is in.
//! - `change.rs`: loading one function.
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
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use audit_log::AppendError;
use audit_log::event::Event;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::adapter::Adapters;
use super::cause::chain;
use super::declaration::{Declaration, Declared, Wish};
use super::function::Function;
use super::load::{self, Loader, RegisterError};
use super::store::Store;
use super::table::{Functions, Table};
use change::{Change, Loaded, Means};
pub use control::{Answer, Control, ControlError, Order, Waiting};
use removal::RemovalDelay;
use scan::{Scan, Stamps};

/// Brings what is served in line with what is wanted, one function after the other.
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
    adapters: Arc<Adapters>,
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
}

impl Known {
    /// Nothing of it is served yet.
    fn new(declared: Declared) -> Self {
        Self {
            declared,
            stamps: None,
            active: None,
            is_refused: false,
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
    /// When to apply the same declaration again: it removes all functions, which takes some
    /// time without a change.
    pub apply_again: Option<Instant>,
}

impl Deployer {
    /// Nothing is served yet.
    #[must_use]
    pub fn new(functions: Arc<Functions>, loader: Loader, store: Option<Arc<Store>>) -> Self {
        Self {
            functions,
            loader: Arc::new(loader),
            adapters: Arc::default(),
            store,
            defaults: Arc::new(Err("nothing is known of functions yet".to_owned())),
            adapter_stamps: Vec::new(),
            known: BTreeMap::new(),
            problems: BTreeSet::new(),
            removal_delay: RemovalDelay::default(),
        }
    }

    /// Serves what `declaration` wants, as far as that can be served. The work is done on
    /// threads of its own.
    ///
    /// # Errors
    ///
    /// Fails if the audit log takes no record of a change. That change is not made, and is
    /// tried again the next time.
    pub async fn apply(&mut self, declaration: &Declaration) -> Result<Summary, AppendError> {
        let (wants, store) = (declaration.clone(), self.store.clone());
        let scan = spawn_blocking(move || Scan::of(&wants, store.as_deref())).await;
        let Ok(mut scan) = scan else {
            return Ok(self.summary());
        };
        self.defaults = declaration.defaults.clone();
        let has_new_adapters = scan.adapters != self.adapter_stamps
            && self.read_adapters(declaration, &mut scan).await;
        if let Some(at) = self.delays_removal(&scan) {
            return Ok(Summary {
                apply_again: Some(at),
                ..self.summary()
            });
        }
        self.tell(scan.problems);
        if scan.is_complete {
            self.remove_all_but(&scan.wanted).await?;
        }
        let mut waiting = Vec::new();
        for (declared, stamps) in scan.wanted {
            match self.look_at(declared, stamps, has_new_adapters).await? {
                // Somebody may be about to give its route away.
                Some(loaded) if self.holder(&loaded.function).is_some() => waiting.push(loaded),
                Some(loaded) => {
                    self.activate(loaded).await?;
                    self.serve();
                }
                None => {}
            }
        }
        if !waiting.is_empty() {
            self.exchange_routes(waiting).await?;
        }
        Ok(self.summary())
    }

    fn summary(&self) -> Summary {
        let refused = self.known.values().filter(|known| known.is_refused);
        Summary {
            refused: refused.count() + self.problems.len(),
            served: self.functions.table().functions().len(),
            apply_again: None,
        }
    }

    /// Reads the adapters anew. Returns whether that worked.
    async fn read_adapters(&mut self, declaration: &Declaration, scan: &mut Scan) -> bool {
        let declaration = declaration.clone();
        let max_bytes = self.loader.max_component_bytes;
        let read = spawn_blocking(move || load::adapters(&declaration, max_bytes)).await;
        match read.unwrap_or_else(|error| Err(RegisterError::Panicked(error.to_string()))) {
            Ok(adapters) => {
                self.adapters = Arc::new(adapters);
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

    /// Looks whether anything about a function has changed, and loads it if it has.
    async fn look_at(
        &mut self,
        declared: Declared,
        stamps: Stamps,
        has_new_adapters: bool,
    ) -> Result<Option<Loaded>, AppendError> {
        let name = declared.name.clone();
        if let Some(known) = self.known.get(&name)
            && !has_new_adapters
            && known.declared == declared
            && known.stamps.as_ref() == Some(&stamps)
        {
            return Ok(None);
        }
        let active = self.known.get(&name);
        let active = active.and_then(|known| known.active.clone());
        let Change { loaded, problem } = self.means().change(declared.clone(), active).await;
        let known = self.known.entry(name.clone());
        let known = known.or_insert_with(|| Known::new(declared.clone()));
        known.declared = declared;
        known.stamps = Some(stamps);
        known.is_refused = false;
        match problem {
            Some(error) => {
                self.refuse(&name, &error).await?;
                if loaded.is_none() {
                    self.withdraw_unless_wrapped(&name).await?;
                }
            }
            None => self.functions.set_problem(&name, None),
        }
        Ok(loaded)
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
        let Loaded { function, record } = loaded;
        let name = function.name().to_owned();
        let active = self
            .known
            .get(&name)
            .and_then(|known| known.active.as_ref());
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
