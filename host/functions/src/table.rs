//! The served functions: a table that is replaced as a whole.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine::{CompiledComponent, Engines, EpochInterval, EpochTicker, SharedRuntime};
use telemetry::Telemetry;
use tokio::sync::watch;
use wasmtime::EngineWeak;

use super::function::{Function, active_version};
use super::request_limits::RequestLimits;
use super::route::{Route, Routes};

/// A snapshot of all functions with their routes.
#[derive(Debug, Default)]
pub struct Table {
    functions: Vec<Arc<Function>>,
    /// The router. Functions that are loading have the number after the last served one.
    routes: Routes,
    /// Names of configured functions of which no version is served yet.
    loading: Vec<String>,
    /// Whether the configuration is not loaded yet.
    is_unknown: bool,
}

/// The routing result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The function of this number.
    Served(usize),
    /// A function that is not loaded yet, or may be one.
    Loading,
    /// No function.
    Nothing,
}

/// Two functions have one route.
#[derive(Debug, thiserror::Error)]
#[error("duplicate route `{route}`, also of `{other}`; change one of them")]
pub struct RouteConflict {
    route: Route,
    other: String,
}

impl RouteConflict {
    /// The conflict about `route`, which `other` has.
    pub(super) fn new(route: &Route, other: &str) -> Self {
        Self {
            route: route.clone(),
            other: other.to_owned(),
        }
    }
}

impl Table {
    /// Adds a function.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, if another function has its route.
    pub fn add(&mut self, function: Arc<Function>) -> Result<(), RouteConflict> {
        if let Some(route) = function.route()
            && let Some(other) = self.routes.add(route, self.functions.len())
        {
            return Err(RouteConflict {
                route: route.clone(),
                other: self.functions[other].name().to_owned(),
            });
        }
        self.functions.push(function);
        Ok(())
    }

    /// Adds a function that is being loaded, after the served ones.
    pub(super) fn add_loading(&mut self, name: &str, route: &Route) {
        self.loading.push(name.to_owned());
        // A served function keeps its route.
        let _ = self.routes.add(route, self.functions.len());
    }

    /// Marks the configuration as not loaded: a request without a route may be for any function.
    pub(super) fn set_unknown(&mut self) {
        self.is_unknown = true;
    }

    /// Names of the functions that are being loaded and have no served version.
    #[must_use]
    pub fn loading(&self) -> &[String] {
        &self.loading
    }

    /// The functions, in the order in which they were added.
    #[must_use]
    pub fn functions(&self) -> &[Arc<Function>] {
        &self.functions
    }

    /// The routing result of a request.
    pub fn find<B>(&self, request: &http::Request<B>) -> Found {
        if let [only] = &self.functions[..]
            && only.route().is_none()
        {
            return Found::Served(0);
        }
        match self.routes.find(request) {
            Some(number) if number < self.functions.len() => Found::Served(number),
            Some(_) => Found::Loading,
            None if self.is_unknown => Found::Loading,
            None => Found::Nothing,
        }
    }
}

/// The functions of a server, which deploys change at run time.
pub struct Functions {
    table: watch::Sender<Arc<Table>>,
    pool: Pool,
    /// The epoch ticker of the engines, once it runs.
    ticker: Mutex<Option<EpochTicker>>,
    epoch_interval: Arc<EpochInterval>,
    /// Errors of functions whose configuration is not served, by name.
    problems: Mutex<BTreeMap<String, String>>,
    /// Whether some functions of the first configuration were neither served nor rejected yet.
    is_starting: AtomicBool,
}

/// The pool of instances.
enum Pool {
    /// Pools of the single component.
    Own(Vec<EngineWeak>),
    /// One pool that all functions share.
    Shared(Arc<SharedRuntime>),
}

impl Functions {
    /// A single component, which gets all requests unchanged, with one of `apps` per worker or one
    /// for all.
    ///
    /// # Panics
    ///
    /// Panics if `apps` is empty.
    #[must_use]
    pub fn one(
        apps: Vec<CompiledComponent>,
        settings: RequestLimits,
        telemetry: &Telemetry,
    ) -> Self {
        let pool = Pool::Own(apps.iter().map(CompiledComponent::engine).collect());
        let component = apps[0].component().clone();
        let version = active_version(&apps);
        let metrics = telemetry.metrics.add(&component.name, version);
        metrics.set_pools(
            apps.iter()
                .filter_map(CompiledComponent::pool_gauge)
                .collect(),
        );
        let telemetry = telemetry.for_component(component, metrics);
        let function = Function::only(apps, settings, telemetry);
        let table = Table {
            functions: vec![Arc::new(function)],
            ..Table::default()
        };
        Self {
            table: watch::Sender::new(Arc::new(table)),
            pool,
            ticker: Mutex::default(),
            epoch_interval: Arc::default(),
            problems: Mutex::default(),
            is_starting: AtomicBool::new(false),
        }
    }

    /// Functions in the pool of `runtime`, which are added later. Until the configuration is loaded,
    /// each request may be for one of them.
    #[must_use]
    pub fn shared(runtime: Arc<SharedRuntime>) -> Self {
        let mut table = Table::default();
        table.set_unknown();
        Self {
            table: watch::Sender::new(Arc::new(table)),
            pool: Pool::Shared(runtime),
            ticker: Mutex::default(),
            epoch_interval: Arc::default(),
            problems: Mutex::default(),
            is_starting: AtomicBool::new(true),
        }
    }

    /// Whether some functions of the first configuration were neither served nor rejected yet.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.is_starting.load(Ordering::Acquire)
    }

    /// Marks each function of the first configuration as served or rejected.
    pub(super) fn set_started(&self) {
        self.is_starting.store(false, Ordering::Release);
    }

    /// The current table.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.table.borrow().clone()
    }

    /// The function of this name, if it is served.
    #[must_use]
    pub fn served(&self, name: &str) -> Option<Arc<Function>> {
        let table = self.table();
        let mut functions = table.functions().iter();
        functions.find(|function| function.name() == name).cloned()
    }

    /// Whether the function of this name is being loaded and has no served version.
    #[must_use]
    pub fn is_loading(&self, name: &str) -> bool {
        self.table().loading.iter().any(|loading| loading == name)
    }

    /// Replaces the table. Requests in flight keep their function.
    pub fn replace(&self, table: Table) {
        self.table.send_replace(Arc::new(table));
    }

    /// Errors of functions whose configuration is not served, by name.
    #[must_use]
    pub fn problems(&self) -> BTreeMap<String, String> {
        let problems = self.problems.lock();
        problems.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names of configured functions that cannot be served.
    pub fn unserved(&self) -> Vec<String> {
        let table = self.table();
        let is_served = |name: &str| table.functions().iter().any(|f| f.name() == name);
        let problems = self.problems.lock();
        let problems = problems.unwrap_or_else(PoisonError::into_inner);
        let names = problems.keys().filter(|name| !is_served(name));
        names.cloned().collect()
    }

    /// Sets or clears the error of a function.
    pub(super) fn set_problem(&self, name: &str, problem: Option<String>) {
        let problems = self.problems.lock();
        let mut problems = problems.unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => problems.insert(name.to_owned(), problem),
            None => problems.remove(name),
        };
    }

    /// Subscribes to changes of the table.
    pub fn changes(&self) -> watch::Receiver<Arc<Table>> {
        self.table.subscribe()
    }

    /// Maximum number of concurrent instances of all functions together, if they share a pool.
    pub fn shared_instances(&self) -> Option<u32> {
        match &self.pool {
            Pool::Own(_) => None,
            Pool::Shared(runtime) => Some(runtime.max_instances()),
        }
    }

    /// Starts the epoch ticker, which ends the time slices of guests, if it does not run yet. No
    /// guest may run before that.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start_epoch_ticker(&self) -> io::Result<()> {
        let mut ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner);
        if ticker.is_none() {
            let engines = match &self.pool {
                Pool::Own(engines) => Engines::Own(engines.clone()),
                Pool::Shared(runtime) => Engines::Shared(Arc::downgrade(runtime)),
            };
            *ticker = Some(EpochTicker::start(engines, self.epoch_interval.clone())?);
        }
        Ok(())
    }

    /// The interval of the epoch ticker.
    pub fn epoch_interval(&self) -> Arc<EpochInterval> {
        self.epoch_interval.clone()
    }
}
