//! Compile child: reads, composes, checks and compiles one component, then exits.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{self, ExitCode};
use std::{fs, thread};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use wasmtime::OutOfMemory;
use wasmtime::component::Component;

use super::Part;
use super::process::{COMPILE_COMMAND, OUT_OF_MEMORY};
use super::protocol::{Compiled, Job, Reply};
use crate::adapter::{AdaptError, Adapters};
use crate::digest::digest;
use crate::engine_kind::Shape;
use crate::error::{LoadError, check_format};
use crate::instance_size::InstanceSize;
use crate::linker::linker;
use crate::middleware::wrap;
use crate::proposals::Proposals;
use crate::requirements::InstanceRequirements;
use crate::wasi_version::WasiVersion;
use crate::world::{World, check_nesting};
use crate::{engine, imports};

/// Exit code of a child that cannot run its job, or has lost its server.
const FAILED: i32 = 3;

/// Resource limits of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildLimits {
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// Nice value.
    pub nice: u8,
}

impl ChildLimits {
    /// Parses the command line of a child: program, `compile-component` and three numbers. None if
    /// it is not one.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let args: Vec<_> = args.into_iter().map(OsString::into_string).collect();
        let [_, Ok(command), Ok(memory_bytes), Ok(cpu_seconds), Ok(nice)] = &args[..] else {
            return None;
        };
        if command != COMPILE_COMMAND {
            return None;
        }
        Some(Self {
            memory_bytes: memory_bytes.parse().ok()?,
            cpu_seconds: cpu_seconds.parse().ok()?,
            nice: nice.parse().ok()?,
        })
    }

    /// The command line for these limits, without the program.
    pub(super) fn args(self) -> [String; 4] {
        [
            COMPILE_COMMAND.to_owned(),
            self.memory_bytes.to_string(),
            self.cpu_seconds.to_string(),
            self.nice.to_string(),
        ]
    }
}

/// Runs the job from standard input (`protocol.rs`) within `limits`. The process must not do
/// anything else. It exits when the server does.
#[must_use]
pub fn compile_child(limits: ChildLimits) -> ExitCode {
    match set_limits(limits).and_then(|()| run_job()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The server may not read it.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(u8::try_from(FAILED).unwrap_or(1))
        }
    }
}

/// Lowers the priority of this process below that of requests, limits its resources, and makes it
/// the first victim of the OOM killer, before the server.
fn set_limits(limits: ChildLimits) -> io::Result<()> {
    let ChildLimits {
        memory_bytes,
        cpu_seconds,
        nice,
    } = limits;
    // Without these, requests may be slower, and the system may kill the server first.
    let _ = setpriority_process(None, nice.into());
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    for (resource, limit) in [
        (Resource::Data, memory_bytes),
        (Resource::Cpu, cpu_seconds),
        // No core dumps.
        (Resource::Core, 0),
    ] {
        let maximum = getrlimit(resource).maximum;
        let current = maximum.map_or(limit, |maximum| limit.min(maximum));
        let current = Some(current);
        setrlimit(resource, Rlimit { current, maximum }).map_err(|error| {
            io::Error::other(format!("cannot set the limit {resource:?}: {error}"))
        })?;
    }
    Ok(())
}

fn run_job() -> io::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let job = Job::read(&mut socket)?;
    if end_with_server(socket.try_clone()?).is_err() {
        // The memory limit leaves no room for the stack of the thread.
        process::exit(OUT_OF_MEMORY);
    }
    let reply = match build(job) {
        Ok(Built::Nothing) => Reply::Done(None),
        Ok(Built::Compiled(compiled, code)) => {
            io::stdout().lock().write_all(&code)?;
            Reply::Done(Some(compiled))
        }
        Ok(Built::Mixed(versions)) => Reply::Mixed(versions),
        Err(error) if is_out_of_memory(&*error) => process::exit(OUT_OF_MEMORY),
        Err(error) => Reply::rejected(&sanitize::error_chain(&*error)),
    };
    socket.write_all(&serde_json::to_vec(&reply)?)
}

/// Exits when the server exits, which closes its end of the socket.
fn end_with_server(mut socket: UnixStream) -> io::Result<()> {
    let watch = move || {
        // The server sends nothing after the job.
        let _ = socket.read(&mut [0]);
        process::exit(FAILED);
    };
    thread::Builder::new().spawn(watch).map(drop)
}

type Rejection = Box<dyn Error + Send + Sync>;

/// The result of a job.
enum Built {
    /// The job has no component, and its adapters are valid.
    Nothing,
    /// Metadata and code.
    Compiled(Compiled, Vec<u8>),
    /// The versions of handlers that cannot be composed.
    Mixed(Vec<WasiVersion>),
}

/// Compiles the component of `job`.
fn build(job: Job) -> Result<Built, Rejection> {
    let mut adapters = Adapters::default();
    let Some(component) = job.component else {
        for Part { name, bytes, .. } in job.adapters {
            adapters.add(&name, bytes.into())?;
        }
        return Ok(Built::Nothing);
    };
    let (mut bytes, mut adapter) = (component.bytes.to_vec(), None);
    check_format(&bytes)?;
    for Part { bytes, .. } in [&component].into_iter().chain(&job.middleware) {
        check_nesting(bytes)?;
    }
    let world = World::of(&bytes);
    world.check_kind()?;
    // Composing would reject some proposals without naming them.
    for Part { bytes, .. } in [&component].into_iter().chain(&job.middleware) {
        Proposals::of(bytes).check()?;
    }
    // Composing may not support all that wasmtime runs, so it is skipped where it is not needed.
    if job.adapts && !world.serves_http() {
        if job.adapters.is_empty() {
            world.check_without_adapters()?;
        }
        for Part { name, bytes, .. } in job.adapters {
            adapters.add(&name, bytes.into())?;
        }
        let (composed, name) = match adapters.adapt(bytes) {
            Err(AdaptError::NoAdapter(no_adapter)) => {
                world.check_command()?;
                return Err(AdaptError::NoAdapter(no_adapter).into());
            }
            result => result?,
        };
        (bytes, adapter) = (composed, name.map(ToOwned::to_owned));
    }
    if !job.middleware.is_empty() {
        let version = World::of(&bytes).wasi_version();
        let versions = job.middleware.iter().map(|part| World::of(&part.bytes));
        let mut versions: Vec<_> = versions.map(|world| world.wasi_version()).collect();
        if versions.iter().any(|other| *other != version) {
            versions.push(version);
            return Ok(Built::Mixed(versions));
        }
        bytes = wrap(&job.middleware, bytes, version)?;
    }
    let (compiled, code) = compile(&bytes, adapter, job.has_next)?;
    Ok(Built::Compiled(compiled, code))
}

/// Validates and compiles the component in `bytes`.
fn compile(
    bytes: &[u8],
    adapter: Option<String>,
    has_next: bool,
) -> Result<(Compiled, Vec<u8>), LoadError> {
    let invalid = |error: wasmparser::BinaryReaderError| LoadError::Invalid(error.into());
    let world = World::of(bytes);
    world.check(has_next)?;
    let proposals = Proposals::of(bytes);
    proposals.check()?;
    let size = InstanceSize::of(bytes)?;
    size.check()?;
    let shape = Shape::of(bytes).map_err(invalid)?;
    let wasi = world.wasi_version();
    let is_concurrent = wasi == WasiVersion::V03 || proposals.require_concurrency();
    let kind = shape.engine(proposals.require_gc(), is_concurrent);
    let engine = engine::for_compiling(&engine::config(kind)).map_err(LoadError::Engine)?;
    let linker = linker(&engine, kind).map_err(LoadError::Engine)?;
    imports::check(bytes, &linker)?;
    let component = Component::from_binary(&engine, bytes).map_err(LoadError::Invalid)?;
    imports::check_compiled(&component, &linker)?;
    let needs = component
        .resources_required()
        .ok_or(LoadError::ImportsModule)?;
    let compiled = Compiled {
        sha256: digest(bytes),
        adapter,
        wasi,
        engine: kind,
        needs: InstanceRequirements::new(&needs, size.parts()),
        code_bytes: shape.code_bytes,
    };
    let code = component.serialize().map_err(LoadError::Engine)?;
    Ok((compiled, code))
}

/// Whether an error is a failed allocation of memory by the system. Failed allocations in Rust
/// abort the process instead.
fn is_out_of_memory(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    let Some(LoadError::Invalid(error) | LoadError::Engine(error)) = error.downcast_ref() else {
        return false;
    };
    error.chain().any(|cause| {
        let errno = cause.downcast_ref::<Errno>().copied();
        let errno = errno.or_else(|| Errno::from_io_error(cause.downcast_ref()?));
        errno == Some(Errno::NOMEM) || cause.is::<OutOfMemory>()
    })
}
