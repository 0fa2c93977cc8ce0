//! What is served at the moment.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use wasmtime::EngineWeak;

use super::function::Function;
use super::request_limits::RequestLimits;
use super::route::{Route, Routes};
use engine::{CompiledComponent, Engines, EpochInterval, EpochTicker, SharedRuntime};
use telemetry::Telemetry;

/// All functions at one moment, and where their requests come from.
#[derive(Debug, Default)]
pub struct Table {
    functions: Vec<Arc<Function>>,
    /// The routes of all functions: those that are loading have the number after the last one
    /// that is served.
    routes: Routes,
    /// The names of those that are wanted, and of which nothing is served yet.
    loading: Vec<String>,
    /// Whether it is not known yet which functions are wanted.
    is_unknown: bool,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The function of this number.
    Served(usize),
    /// One that is not loaded yet, or may be.
    Loading,
    /// No function.
    Nothing,
}

/// Two functions want the same requests.
#[derive(Debug, thiserror::Error)]
#[error("the route `{route}` is that of `{other}`; give one of them another one")]
pub struct RouteConflict {
    route: Route,
    other: String,
}

impl RouteConflict {
    /// Somebody wants `route`, which `other` has.
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
    /// Fails, and changes nothing, if another one has its route.
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

    /// Adds a function that is being loaded, after those that are served. Requests to it get no
    /// other answer until it is.
    pub(super) fn add_loading(&mut self, name: &str, route: &Route) {
        self.loading.push(name.to_owned());
        // Where another one has its route, that one is asked.
        let _ = self.routes.add(route, self.functions.len());
    }

    /// Notes that it is not known yet which functions are wanted: a request without a route may
    /// be for one of them.
    pub(super) fn set_unknown(&mut self) {
        self.is_unknown = true;
    }

    /// The names of those that are being loaded, and of which nothing is served yet.
    #[must_use]
    pub fn loading(&self) -> &[String] {
        &self.loading
    }

    /// The functions, in the order in which they were added.
    #[must_use]
    pub fn functions(&self) -> &[Arc<Function>] {
        &self.functions
    }

    /// What a request is for.
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

/// The functions of a server. What they are may change while it serves.
pub struct Functions {
    table: watch::Sender<Arc<Table>>,
    pool: Pool,
    /// The clock of the engines, once something runs.
    ticker: Mutex<Option<EpochTicker>>,
    epoch_interval: Arc<EpochInterval>,
    /// Why functions are not served as they are wanted, by name.
    problems: Mutex<BTreeMap<String, String>>,
    /// Whether some of those that were wanted at the start were neither served nor refused yet.
    is_starting: AtomicBool,
}

/// Where the instances are made.
enum Pool {
    /// In those that together are as large as the only function wants.
    Own(Vec<EngineWeak>),
    /// In one that all of them share.
    Shared(Arc<SharedRuntime>),
}

impl Functions {
    /// Exactly one, which gets all requests as they come. It has one of `apps` for each
    /// thread that serves, or one for all.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    #[must_use]
    pub fn one(
        apps: Vec<CompiledComponent>,
        settings: RequestLimits,
        telemetry: &Telemetry,
    ) -> Self {
        let pool = Pool::Own(apps.iter().map(CompiledComponent::engine).collect());
        let component = apps[0].component().clone();
        let max_instances = apps.iter().map(CompiledComponent::max_instances).sum();
        let metrics = telemetry.metrics.add(&component, max_instances);
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

    /// Those that are added later, in instances of the pool of `runtime`. Until it is known which
    /// they are, each request may be for one of them.
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

    /// Whether some of the functions that were wanted at the start were neither served nor
    /// refused yet.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.is_starting.load(Ordering::Acquire)
    }

    /// Notes that each function that was wanted at the start is served or refused.
    pub(super) fn set_started(&self) {
        self.is_starting.store(false, Ordering::Release);
    }

    /// What is served at the moment.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.table.borrow().clone()
    }

    /// The function of this name, if it is served at the moment.
    #[must_use]
    pub fn served(&self, name: &str) -> Option<Arc<Function>> {
        let table = self.table();
        let mut functions = table.functions().iter();
        functions.find(|function| function.name() == name).cloned()
    }

    /// Whether the function of this name is being loaded, and nothing of it is served yet.
    #[must_use]
    pub fn is_loading(&self, name: &str) -> bool {
        self.table().loading.iter().any(|loading| loading == name)
    }

    /// Serves `table` from now on. Requests that have begun go on with what they began
    /// with.
    pub fn replace(&self, table: Table) {
        self.table.send_replace(Arc::new(table));
    }

    /// Why functions are not served as they are wanted, by name.
    #[must_use]
    pub fn problems(&self) -> BTreeMap<String, String> {
        let problems = self.problems.lock();
        problems.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names of those that are declared and not served.
    pub fn unserved(&self) -> Vec<String> {
        let table = self.table();
        let is_served = |name: &str| table.functions().iter().any(|f| f.name() == name);
        let problems = self.problems.lock();
        let problems = problems.unwrap_or_else(PoisonError::into_inner);
        let names = problems.keys().filter(|name| !is_served(name));
        names.cloned().collect()
    }

    /// Notes what is wrong with a function, or that nothing is.
    pub(super) fn set_problem(&self, name: &str, problem: Option<String>) {
        let problems = self.problems.lock();
        let mut problems = problems.unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => problems.insert(name.to_owned(), problem),
            None => problems.remove(name),
        };
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Arc<Table>> {
        self.table.subscribe()
    }

    /// How many instances all functions together may have at once, if they share a pool.
    pub fn shared_instances(&self) -> Option<u32> {
        match &self.pool {
            Pool::Own(_) => None,
            Pool::Shared(runtime) => Some(runtime.max_instances()),
        }
    }

    /// Starts the clock that ends the time slices of guests, if it does not run yet. No guest
    /// may run before that.
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

    /// The interval between two ticks of that clock.
    pub fn epoch_interval(&self) -> Arc<EpochInterval> {
        self.epoch_interval.clone()
    }
}
