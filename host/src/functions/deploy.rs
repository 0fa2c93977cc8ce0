//! From what is wanted to what is served.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use audit_log::AppendError;
use audit_log::event::Event;
use audit_log::record::{Component, Subject};
use tokio::task::spawn_blocking;

use super::adapter::Adapters;
use super::declaration::{Declaration, Declared};
use super::load::{self, FunctionError, Loader, RegisterError, Source};
use super::stamp::Stamp;
use super::table::{Conflict, Function, Functions, Table};
use super::warm::warm;

/// Brings what is served in line with what is wanted, one function after the other.
///
/// What cannot be served changes nothing: the version that was served before goes on. Why
/// that is so is told once, in the log and in the audit log, and again when something
/// about it has changed.
pub struct Deployer {
    functions: Arc<Functions>,
    loader: Arc<Loader>,
    adapters: Arc<Adapters>,
    /// What the adapters were read from.
    adapter_stamps: Vec<Option<Stamp>>,
    /// By name.
    known: BTreeMap<String, Known>,
    /// What is wrong beside the functions, so that it is told once.
    problems: BTreeSet<String>,
}

/// What is known of one function.
struct Known {
    /// What was wanted when it was looked at last.
    declared: Declared,
    /// Of which file.
    stamp: Option<Stamp>,
    /// What is served of it.
    active: Option<Arc<Function>>,
    /// Whether what was wanted last cannot be served.
    is_refused: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many functions are served.
    pub served: usize,
    /// How many are not as they should be.
    pub refused: usize,
}

/// What has happened to one function.
enum Change {
    None,
    Loaded(Box<Function>),
    Refused(FunctionError),
}

impl Deployer {
    /// Nothing is served yet.
    #[must_use]
    pub fn new(functions: Arc<Functions>, loader: Loader) -> Self {
        Self {
            functions,
            loader: Arc::new(loader),
            adapters: Arc::default(),
            adapter_stamps: Vec::new(),
            known: BTreeMap::new(),
            problems: BTreeSet::new(),
        }
    }

    /// Serves what `declaration` wants, as far as that can be served.
    ///
    /// # Errors
    ///
    /// Fails if the audit log takes no record of a change, which is then not made.
    pub async fn apply(&mut self, declaration: &Declaration) -> Result<Summary, AppendError> {
        let mut problems = BTreeSet::new();
        let has_new_adapters = self.read_adapters(declaration, &mut problems).await;
        let told = |path: &Path, why: &str| {
            problems.insert(format!("`{}` is no function: {why}", path.display()));
        };
        match declaration.wanted(told) {
            Ok(wanted) => {
                self.tell(problems);
                self.remove_unwanted(&wanted).await?;
                let mut waiting = Vec::new();
                for declared in wanted {
                    let loaded = self.look_at(declared, has_new_adapters).await?;
                    match loaded {
                        // Somebody may be about to give its route away.
                        Some(function) if self.holder(&function).is_some() => {
                            waiting.push(function);
                        }
                        Some(function) => {
                            self.activate(function).await?;
                            self.serve();
                        }
                        None => {}
                    }
                }
                self.exchange_routes(waiting).await?;
            }
            Err(error) => {
                let folder = declaration.folder.as_deref().unwrap_or(Path::new(""));
                let folder = folder.display();
                problems.insert(format!("cannot read the folder `{folder}`: {error}"));
                self.tell(problems);
            }
        }
        let refused = self.known.values().filter(|known| known.is_refused);
        Ok(Summary {
            refused: refused.count() + self.problems.len(),
            served: self.functions.table().functions().len(),
        })
    }

    /// Reads the adapters, if their files have changed. Returns whether they have.
    async fn read_adapters(
        &mut self,
        declaration: &Declaration,
        problems: &mut BTreeSet<String>,
    ) -> bool {
        let stamps: Vec<_> = declaration
            .adapters
            .iter()
            .map(|path| Stamp::of(path))
            .collect();
        if stamps == self.adapter_stamps {
            return false;
        }
        let declaration = declaration.clone();
        let max_bytes = self.loader.max_component_bytes;
        let read = spawn_blocking(move || load::adapters(&declaration, max_bytes)).await;
        match read.unwrap_or_else(|error| Err(RegisterError::Panicked(error.to_string()))) {
            Ok(adapters) => {
                self.adapters = Arc::new(adapters);
                self.adapter_stamps = stamps;
                true
            }
            Err(error) => {
                let text = format!("the adapters stay as they were: {}", chain(&error));
                problems.insert(text);
                false
            }
        }
    }

    /// Tells what is wrong beside the functions, but for what was told before.
    fn tell(&mut self, problems: BTreeSet<String>) {
        for problem in problems.difference(&self.problems) {
            tracing::error!("{problem}");
        }
        self.problems = problems;
    }

    /// Serves no more what is not wanted any more.
    async fn remove_unwanted(&mut self, wanted: &[Declared]) -> Result<(), AppendError> {
        let wanted: BTreeSet<_> = wanted.iter().map(|f| f.name.as_str()).collect();
        let is_unwanted = |name: &&String| !wanted.contains(name.as_str());
        let unwanted: Vec<_> = self.known.keys().filter(is_unwanted).cloned().collect();
        for name in unwanted {
            let known = self.known.remove(&name);
            let Some(active) = known.and_then(|known| known.active) else {
                continue;
            };
            self.serve();
            self.loader.telemetry.metrics.remove(&name);
            tracing::info!(function = name, version = active.version(), "removed");
            let event = Event::ComponentRemoved;
            self.record(active.app().component(), &event).await?;
        }
        Ok(())
    }

    /// Looks whether anything about a function has changed, and loads it if it has.
    async fn look_at(
        &mut self,
        declared: Declared,
        has_new_adapters: bool,
    ) -> Result<Option<Function>, AppendError> {
        let name = declared.name.clone();
        let stamp = Stamp::of(&declared.component);
        if let Some(known) = self.known.get(&name)
            && !has_new_adapters
            && known.declared == declared
            && known.stamp == stamp
        {
            return Ok(None);
        }
        let change = self.change(declared.clone()).await;
        let known = self.known.entry(name.clone()).or_insert(Known {
            declared: declared.clone(),
            stamp: None,
            active: None,
            is_refused: false,
        });
        known.declared = declared;
        known.stamp = stamp;
        known.is_refused = false;
        match change {
            Change::None => Ok(None),
            Change::Refused(error) => self.refuse(&name, &error).await.map(|()| None),
            Change::Loaded(function) => Ok(Some(*function)),
        }
    }

    /// Who is served at the route that `function` wants.
    fn holder(&self, function: &Function) -> Option<&Arc<Function>> {
        let active = self
            .known
            .values()
            .filter_map(|known| known.active.as_ref());
        let mut others = active.filter(|other| other.name() != function.name());
        others.find(|other| other.route() == function.route())
    }

    /// Activates functions that wait for routes of each other, all at once. One that wants
    /// the route of somebody who keeps it is refused.
    async fn exchange_routes(&mut self, mut waiting: Vec<Function>) -> Result<(), AppendError> {
        loop {
            let keeps = |holder: &Arc<Function>| !waiting.iter().any(|f| f.name() == holder.name());
            let conflict = waiting.iter().enumerate().find_map(|(index, function)| {
                let kept = self.holder(function).filter(|holder| keeps(holder));
                let mut before = waiting[..index].iter();
                let other = before.find(|other| other.route() == function.route());
                let other = kept
                    .map(|holder| holder.name())
                    .or(other.map(Function::name))?;
                Some((index, Conflict::new(function.route()?, other)))
            });
            let Some((index, conflict)) = conflict else {
                break;
            };
            let function = waiting.remove(index);
            self.refuse(function.name(), &conflict).await?;
        }
        for function in waiting {
            self.activate(function).await?;
        }
        self.serve();
        Ok(())
    }

    /// Loads a function, if what would be served differs from what is.
    async fn change(&self, declared: Declared) -> Change {
        let active = self.known.get(&declared.name).and_then(|known| {
            let is_same = known.declared.has_settings_of(&declared);
            known.active.clone().filter(|_| is_same)
        });
        let (loader, adapters) = (self.loader.clone(), self.adapters.clone());
        let load = move || {
            let source = match load::source(&declared, &adapters, loader.max_component_bytes) {
                Ok(source) => source,
                Err(error) => return Change::Refused(error),
            };
            let Source {
                digest, adapter, ..
            } = &source;
            if active.is_some_and(|active| active.version() == digest) {
                return Change::None;
            }
            if let Some(adapter) = adapter {
                let name = &declared.name;
                tracing::debug!(function = name, adapter, version = digest, "composed");
            }
            let loaded = loader.load(&declared, &source);
            match loaded.and_then(|function| warm(&function).map(|()| function)) {
                Ok(function) => Change::Loaded(Box::new(function)),
                Err(error) => Change::Refused(error),
            }
        };
        let changed = spawn_blocking(load).await;
        changed.unwrap_or_else(|error| Change::Refused(FunctionError::Panicked(error.to_string())))
    }

    /// Lets a function be served the next time that anything is.
    async fn activate(&mut self, function: Function) -> Result<(), AppendError> {
        let name = function.name().to_owned();
        let Some(known) = self.known.get(&name) else {
            return Ok(());
        };
        let replaces = known
            .active
            .as_ref()
            .map(|active| active.version().to_owned());
        let event = Event::ComponentLoad {
            replaces: replaces.as_deref().map(Into::into),
        };
        self.record(function.app().component(), &event).await?;
        tracing::info!(
            function = name,
            version = function.version(),
            replaces,
            route = function.route().map(tracing::field::display),
            "deployed"
        );
        let function = Arc::new(function);
        if let Some(known) = self.known.get_mut(&name) {
            known.active = Some(function.clone());
        }
        function.count();
        Ok(())
    }

    /// Tells why a function is not served as it is wanted.
    async fn refuse(
        &mut self,
        name: &str,
        error: &(dyn std::error::Error + Send + Sync),
    ) -> Result<(), AppendError> {
        let Some(known) = self.known.get_mut(name) else {
            return Ok(());
        };
        known.is_refused = true;
        let cause = chain(error);
        let goes_on = known.active.as_ref().map(|active| active.version());
        tracing::error!(function = name, %cause, goes_on, "function refused");
        let event = Event::ComponentRefused {
            function: name.into(),
            cause: load::cut(&cause).into(),
        };
        let subject = Subject {
            component: None,
            request: None,
        };
        self.loader.audit.record(subject, &event).await.map(drop)
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

    async fn record(
        &self,
        component: &Component<'_>,
        event: &Event<'_>,
    ) -> Result<(), AppendError> {
        let subject = Subject {
            component: Some(component),
            request: None,
        };
        self.loader.audit.record(subject, event).await.map(drop)
    }
}

/// An error with all its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some say themselves what caused them.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}
