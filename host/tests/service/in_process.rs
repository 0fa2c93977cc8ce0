//! The server with one worker, on a thread of this process.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use audit_log::{AuditLog, Location, Settings};
use engine::audit::Quota;
use engine::{CompiledComponent, Compiler, CompilerSettings, ComponentEnv, Job, Part, Variable};
use functions::Functions;
use host::cli::{Cli, Command, Serve};
use memory_limit::MemoryLimit;
use nix::unistd;
use server::{self, Listener};
use telemetry::Telemetry;
use telemetry::metrics::Metrics;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::VARIABLE;

/// Stops on drop.
pub(crate) struct InProcess {
    pub(crate) addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl InProcess {
    /// Serves the component at this path.
    pub(crate) fn serve(component: &Path) -> Self {
        let flags = flags(component);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        Self {
            addr,
            stop: Some(stop),
            thread: Some(thread::spawn(move || serve(listener, &flags, stopped))),
        }
    }

    /// The component at this path, loaded as by the server.
    pub(crate) fn load(component: &Path, environment: Vec<Variable>) -> CompiledComponent {
        let bytes = fs::read(component).expect("a file");
        Self::load_bytes(&bytes, environment)
    }

    /// The component in `bytes`, loaded as by the server. Its audit log stays in the target folder:
    /// appending to a removed log fails.
    pub(crate) fn load_bytes(bytes: &[u8], environment: Vec<Variable>) -> CompiledComponent {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let location = Location::JsonLines(folder.keep().join("audit.jsonl"));
        let audit = AuditLog::open(&Settings::new(location)).expect("a log");
        let env = ComponentEnv {
            name: "app".to_owned(),
            environment,
            config: Vec::new(),
            audit,
            quota: Quota {
                entries: u32::MAX,
                bytes: u64::MAX,
            },
            limits: flags("app.wasm".as_ref()).limits.guest(),
            outbound: Arc::default(),
        };
        let settings = CompilerSettings {
            program: env!("CARGO_BIN_EXE_component-runner").into(),
            time: Duration::from_mins(5),
            memory_bytes: u64::MAX,
            nice: 0,
            cache: None,
        };
        let compiler = Compiler::new(settings).expect("a compiler");
        let job = Job::of(Part::new("app", bytes.to_vec()));
        let runtime = Builder::new_current_thread().enable_all().build();
        let artefact = runtime
            .expect("a runtime")
            .block_on(compiler.compile(&job, true));
        let artefact = artefact.expect("it can be compiled");
        let mut apps =
            CompiledComponent::load_per_worker(&artefact, &env, NonZeroUsize::MIN, u64::MAX)
                .expect("it fits");
        apps.remove(0)
    }
}

/// The flags of a server of the component at this path.
fn flags(component: &Path) -> Box<Serve> {
    let cli = Cli::read([
        "component-runner".into(),
        "serve".into(),
        component.as_os_str().to_owned(),
        "--threads=1".into(),
        format!("--env={}={}", VARIABLE.0, VARIABLE.1).into(),
    ]);
    match cli.expect("these are its flags").command {
        Command::Serve(flags) => flags,
        _ => panic!("this is `serve`"),
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        // Both fail if the server has failed, which its thread reports.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Runs the server as `main.rs` does, with an existing listener.
fn serve(listener: TcpListener, flags: &Serve, stopped: oneshot::Receiver<()>) {
    let component = flags.component.as_deref().expect("it is there");
    let app = InProcess::load(component, flags.guest.env.clone());
    let runtime = Builder::new_current_thread().enable_all().build();
    let served = runtime.expect("a runtime").block_on(async {
        listener.set_nonblocking(true)?;
        let listener = Listener::tcp(tokio::net::TcpListener::from_std(listener)?, None)?;
        let shutdown = async {
            // An error means that the handle was dropped.
            let _ = stopped.await;
        };
        let telemetry = Telemetry::new(Metrics::new());
        let functions = Functions::one(vec![app], flags.serving(), &telemetry);
        let settings = flags.settings();
        let memory = MemoryLimit::start(None, || {})?;
        server::run(
            vec![listener],
            functions.into(),
            settings,
            memory,
            &telemetry,
            shutdown,
        )
        .await
    });
    served.expect("it serves");
}

/// Redirects standard error, to which guests write, to `/dev/null` until dropped.
pub(crate) struct Quiet(OwnedFd);

impl Quiet {
    pub(crate) fn new() -> Self {
        let stderr = io::stderr().as_fd().try_clone_to_owned();
        let nowhere = File::options().write(true).open("/dev/null");
        unistd::dup2_stderr(nowhere.expect("it is always there")).expect("it can be replaced");
        Self(stderr.expect("standard error is open"))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        unistd::dup2_stderr(&self.0).expect("it was there before");
    }
}
