//! What is served, from files to functions that are ready.

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

/// The nice value of compilers beside requests: a tenth of what a worker gets, so that one ends
/// within its time also on a busy machine.
const NICE: u8 = 10;

/// How long an order may take, apart from compiling.
const UPLOAD_TIME: Duration = Duration::from_mins(1);

/// What is served, and who looks for changes of it.
pub(crate) struct LoadedWorkload {
    pub(crate) functions: Arc<Functions>,
    /// What loads functions. None where there is one component, which is loaded.
    pub(crate) reconciler: Option<Reconciler>,
}

/// Loads the component that is to be served, or prepares to load functions: those are loaded by
/// [`Reconciler::follow`], while the server answers requests.
///
/// # Errors
///
/// Fails if nothing can be served, or the audit log takes no record of the component.
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
    // No request waits for a processor yet.
    let compiler = compiler(flags, 0, code_cache())?;
    let artefact = compiler.compile(&job, false).await.with_context(what)?;
    // Elsewhere, because operators are answered meanwhile.
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
    let event = Event::ComponentLoad { replaces: None };
    log.record(subject, &event)
        .await
        .context("the audit log took no record of the component")?;
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
    // Each thread has a place, or none of its requests would ever begin.
    let threads = u32::try_from(settings.threads.get()).unwrap_or(u32::MAX);
    if let Ok(threads) = threads.try_into() {
        pool.instances = pool.instances.max(threads);
    }
    let runtime = SharedRuntime::new(pool);
    let runtime = runtime.context("cannot make the pool of instances")?;
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

/// Serves what is wanted whenever that changes.
pub(crate) struct Reconciler {
    functions: Arc<Functions>,
    store: Option<Arc<Store>>,
    /// Where orders come in.
    handle: DeployHandle,
    commands: mpsc::Receiver<PendingCommand>,
    /// What is wanted at the start.
    config: FunctionsConfig,
    /// The file or the folder of functions.
    path: PathBuf,
    defaults: Defaults,
    deployer: Deployer,
    watch: ConfigWatcher,
    /// When to look again even without a change.
    next_apply: Option<Instant>,
}

impl Reconciler {
    /// What lets whoever has the token give orders.
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

    /// Loads what is wanted, at first and whenever that changes. Never ends. Where it is stopped,
    /// nothing is half done: a function is replaced at once, or not, and compilers that run are
    /// killed.
    pub(crate) async fn run(mut self) -> Infallible {
        let mut is_unrecorded = false;
        let mut done = self.apply(self.config.clone()).await;
        loop {
            match done {
                Ok(()) => is_unrecorded = false,
                Err(error) if !is_unrecorded => {
                    is_unrecorded = true;
                    tracing::error!(
                        "functions stay as they were, because the audit log takes no record of \
                         the change: {error}"
                    );
                }
                Err(_) => {}
            }
            done = self.next().await;
        }
    }

    /// Does what is to be done next. It ends with a change that has, or should have, a record.
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

    /// Applies what is wanted now.
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
            // The process ends.
            Err(_) => Ok(()),
        }
    }

    /// Applies what is declared, and notes when to do that again even without a change.
    async fn apply(&mut self, config: FunctionsConfig) -> Result<(), AppendError> {
        let now = Instant::now();
        let scan = move || (WatchedPaths::of(&config), config);
        // It fails if the process ends.
        let Ok((watched, config)) = spawn_blocking(scan).await else {
            return Ok(());
        };
        self.watch.set_watched(watched);
        let applied = self.deployer.apply(&config).await;
        self.next_apply = self.deployer.next_apply(now);
        applied
    }
}

/// Resolves at this time, if there is one.
async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// What compiles components, in children of this process with this nice value.
///
/// # Errors
///
/// Fails if this program cannot be found, or wasmtime not be set up.
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

/// The file of this program. On Linux it is found even if another one has taken its place,
/// as it does when it is updated.
fn this_program() -> Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && running.exists() {
        return Ok(running.to_owned());
    }
    env::current_exe().context("cannot find this program, which compiles components")
}

/// Where compiled code is kept: in the folder of the user for what can be made anew, unless
/// others may write there.
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

/// What a component is called: its file, without the folder and the extension.
pub(crate) fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}
