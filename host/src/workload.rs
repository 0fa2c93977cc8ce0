//! The workload: from files to functions that are ready, and their reconciliation at run time.

use std::convert::Infallible;
use std::env;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admin::{Admin, Denials, Token};
use anyhow::{Context, Result, anyhow};
use audit_log::event::Event;
use audit_log::record::Subject;
use audit_log::{AppendError, AuditLog};
use engine::{
    CodeCache, CompiledComponent, Compiler, CompilerSettings, ComponentEnv, Job, Part,
    SharedRuntime, clock_limit,
};
use functions::{
    ConfigWatcher, DeployHandle, Deployer, Functions, FunctionsConfig, Loader, PendingCommand,
    Retention, Store, WatchedPaths,
};
use host::cli::{Defaults, Serve, read_functions};
use memory_limit::MemoryLimit;
use telemetry::Telemetry;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::inputs::{SingleComponent, Workload};

/// Nice value of compile children while requests are served: they get a tenth of the weight of a
/// worker, and finish within their timeout also on a busy machine.
const NICE: u8 = 10;

/// Timeout of a deploy request, without compilation.
const UPLOAD_TIME: Duration = Duration::from_mins(1);

/// The functions, and the task that reconciles them.
pub(crate) struct LoadedWorkload {
    pub(crate) functions: Arc<Functions>,
    /// The task that loads functions. None for a single component.
    pub(crate) reconciler: Option<Reconciler>,
}

/// Loads a single component, or prepares to load functions, which [`Reconciler::run`] loads while
/// the server responds to requests.
///
/// # Errors
///
/// Fails if the component cannot be served, or the audit log cannot be written.
pub(crate) async fn load(
    workload: Workload,
    flags: &Serve,
    log: &AuditLog,
    telemetry: &Telemetry,
    memory: &MemoryLimit,
) -> Result<LoadedWorkload> {
    match workload {
        Workload::Component(one) => Ok(LoadedWorkload {
            functions: load_one(*one, flags, log, telemetry, memory).await?,
            reconciler: None,
        }),
        Workload::Functions(path, config) => {
            prepare_functions(path, config, flags, log, telemetry, memory).await
        }
    }
}

async fn load_one(
    one: SingleComponent,
    flags: &Serve,
    log: &AuditLog,
    telemetry: &Telemetry,
    memory: &MemoryLimit,
) -> Result<Arc<Functions>> {
    let SingleComponent {
        path,
        bytes,
        environment,
        outbound,
    } = one;
    let env = ComponentEnv {
        name: name(&path),
        environment,
        config: flags.guest.config(),
        audit: log.clone(),
        quota: flags.audit.requests.quota(),
        limits: flags.limits.guest(),
        outbound: outbound.into(),
    };
    let what = || format!("cannot serve `{}`", path.display());
    let job = Job::of(Part::new(&*env.name, bytes));
    // No request competes for the CPU yet.
    let compiler = compiler(flags, 0, code_cache())?;
    let artefact = compiler.compile(&job, false).await.with_context(what)?;
    // On a blocking thread: the admin listener responds meanwhile.
    let threads = flags.settings().threads;
    let total_bytes = memory.limit_bytes();
    let apps = spawn_blocking(move || {
        CompiledComponent::load_per_worker(&artefact, &env, threads, total_bytes)
    })
    .await?
    .with_context(what)?;
    let subject = Subject {
        component: Some(apps[0].component()),
        request: None,
    };
    let event = Event::ComponentLoad {
        replaces: None,
        wasi: Some(apps[0].wasi_version().as_str().into()),
    };
    log.record(subject, &event)
        .await
        .context("the audit log cannot record the component")?;
    Ok(Functions::one(apps, flags.serving(), telemetry).into())
}

async fn prepare_functions(
    path: PathBuf,
    config: FunctionsConfig,
    flags: &Serve,
    log: &AuditLog,
    telemetry: &Telemetry,
    memory: &MemoryLimit,
) -> Result<LoadedWorkload> {
    let mut pool = flags.pool.pool(&flags.limits, memory.limit_bytes());
    let settings = flags.settings();
    // Each worker needs an instance, or its requests would never start.
    let threads = u32::try_from(settings.threads.get()).unwrap_or(u32::MAX);
    if let Ok(threads) = threads.try_into() {
        pool.instances = pool.instances.max(threads);
    }
    let runtime = SharedRuntime::new(pool);
    let runtime = runtime.context("cannot create the pool of instances")?;
    let runtime = Arc::new(runtime);
    telemetry.metrics.set_pool(runtime.pool_gauge());
    let functions = Arc::new(Functions::shared(runtime.clone()));
    functions
        .start_epoch_ticker()
        .context("cannot start a thread")?;
    let loader = Loader {
        runtime,
        compiler: compiler(flags, NICE, code_cache())?.into(),
        audit: log.clone(),
        telemetry: telemetry.clone(),
        max_component_bytes: flags.pool.max_component_size,
    };
    let store = match flags.deploys.state.clone() {
        Some(folder) => {
            let retention = Retention {
                versions: flags.deploys.keep_versions,
                removed: flags.deploys.keep_removed,
            };
            let store = spawn_blocking(move || Store::open(&folder, retention)).await?;
            Some(Arc::new(store?))
        }
        None => None,
    };
    let deployer = Deployer::new(functions.clone(), loader, store.clone());
    let (handle, commands) = DeployHandle::new();
    let reconciler = Reconciler {
        functions: functions.clone(),
        store,
        handle,
        commands,
        config,
        path,
        defaults: flags.function_defaults.clone(),
        deployer,
        watch: ConfigWatcher::new(),
        next_apply: None,
    };
    Ok(LoadedWorkload {
        functions,
        reconciler: Some(reconciler),
    })
}

/// Reconciles the functions with their configuration whenever it changes.
pub(crate) struct Reconciler {
    functions: Arc<Functions>,
    store: Option<Arc<Store>>,
    /// The handle for the deploy API.
    handle: DeployHandle,
    commands: mpsc::Receiver<PendingCommand>,
    /// The configuration at startup.
    config: FunctionsConfig,
    /// The file or folder of functions.
    path: PathBuf,
    defaults: Defaults,
    deployer: Deployer,
    watch: ConfigWatcher,
    /// Time of the next reload without a change.
    next_apply: Option<Instant>,
}

impl Reconciler {
    /// The deploy API for operators with the token.
    pub(crate) fn deploy_api(&self, token: Token, flags: &Serve, log: &AuditLog) -> Admin {
        Admin {
            token,
            commands: self.handle.clone(),
            functions: self.functions.clone(),
            store: self.store.clone(),
            denials: Denials::new(log.clone()),
            max_component_bytes: flags.pool.max_component_size,
            max_time: UPLOAD_TIME.saturating_add(clock_limit(flags.pool.compile_timeout)),
        }
    }

    /// Loads the configured functions, at first and after each change. Never ends. It may be dropped
    /// at any time: functions are replaced atomically, and running compile children are killed.
    pub(crate) async fn run(mut self) -> Infallible {
        let mut is_unrecorded = false;
        let mut done = self.apply(self.config.clone()).await;
        loop {
            match done {
                Ok(()) => is_unrecorded = false,
                Err(error) if !is_unrecorded => {
                    is_unrecorded = true;
                    tracing::error!(
                        "change not applied, previous functions stay active: the audit log cannot be \
                         written: {error}"
                    );
                }
                Err(_) => {}
            }
            done = self.next().await;
        }
    }

    /// Handles commands and events up to the next change that needs an audit record.
    async fn next(&mut self) -> Result<(), AppendError> {
        loop {
            tokio::select! {
                Some((command, reply)) = self.commands.recv() => {
                    self.deployer.execute(command, reply).await;
                }
                finished = self.deployer.finished() => {
                    let done = self.deployer.finish(finished).await;
                    let times = [self.next_apply, self.deployer.next_apply(Instant::now())];
                    self.next_apply = times.into_iter().flatten().min();
                    return done;
                }
                () = self.watch.changed() => return self.reload().await,
                () = reached(self.next_apply) => return self.reload().await,
            }
        }
    }

    /// Reads the configuration again and applies it.
    async fn reload(&mut self) -> Result<(), AppendError> {
        let (path, defaults) = (self.path.clone(), self.defaults.clone());
        let read = spawn_blocking(move || read_functions(&path, &defaults)).await;
        match read {
            Ok(Ok(config)) => self.apply(config).await,
            Ok(Err(error)) => {
                let now = Instant::now();
                let rejected = self.deployer.reject_config(&self.path, &error).await;
                self.next_apply = self.deployer.next_apply(now);
                rejected
            }
            // The process is exiting.
            Err(_) => Ok(()),
        }
    }

    /// Applies a configuration, and sets the time of the next reload.
    async fn apply(&mut self, config: FunctionsConfig) -> Result<(), AppendError> {
        let now = Instant::now();
        let scan = move || (WatchedPaths::of(&config), config);
        // Fails if the process is exiting.
        let Ok((watched, config)) = spawn_blocking(scan).await else {
            return Ok(());
        };
        self.watch.set_watched(watched);
        let applied = self.deployer.apply(&config).await;
        self.next_apply = self.deployer.next_apply(now);
        applied
    }
}

/// Resolves at this time, if any.
async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// The compiler, with children of this nice value.
///
/// # Errors
///
/// Fails if this program cannot be found, or wasmtime cannot be set up.
pub(crate) fn compiler(flags: &Serve, nice: u8, cache: Option<CodeCache>) -> Result<Compiler> {
    let compiler = Compiler::new(CompilerSettings {
        program: this_program()?,
        time: flags.pool.compile_timeout,
        memory_bytes: flags.pool.max_compile_memory,
        nice,
        cache,
    });
    compiler.map_err(|error| anyhow!("wasmtime cannot be set up: {error:#}"))
}

/// The file of this program. On Linux it is found even if an update has replaced the file.
fn this_program() -> Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && running.exists() {
        return Ok(running.to_owned());
    }
    env::current_exe().context("cannot find this program, which compiles components")
}

/// The cache of compiled code in the cache folder of the user, unless other users may write there.
fn code_cache() -> Option<CodeCache> {
    let given = |name: &str| env::var_os(name).filter(|path| !path.is_empty());
    let cache = given("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&given("HOME")?).join(".cache")));
    let Some(cache) = cache else {
        tracing::warn!(
            "compiled code is not kept for the next start: neither XDG_CACHE_HOME nor HOME is set"
        );
        return None;
    };
    let folder = cache.join("component-runner").join("code");
    let opened = CodeCache::open(&folder);
    if let Err(error) = &opened {
        let folder = folder.display();
        tracing::warn!("compiled code is not kept for the next start in `{folder}`: {error}");
    }
    opened.ok()
}

/// The name of a component: its file name without extension.
pub(crate) fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}
