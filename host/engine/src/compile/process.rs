//! Starting a child, its limits, and how it ended.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::child::ChildLimits;
use super::protocol::{Compiled, Job, MAX_REPLY_BYTES, Reply};

/// The words of the command line that make this program a child.
pub const COMPILE_COMMAND: &str = "compile-component";

/// The exit code of a child that may have no more memory.
pub(super) const OUT_OF_MEMORY: i32 = 12;

/// The exit code of a program of Rust that panicked.
const PANICKED: i32 = 101;

/// What Rust writes to standard error before it aborts for want of memory.
const ALLOCATION_FAILED: &str = "memory allocation of";

/// How much of standard error is kept, in bytes.
const MAX_STDERR_BYTES: u64 = 4096;

/// The variables of the environment that a child gets: where the program finds its libraries.
/// All others may be secrets of the operator.
const PASSED_VARIABLES: [&str; 1] = ["LD_LIBRARY_PATH"];

/// How many times its processor time a child may take on the clock.
const CLOCK_FACTOR: u32 = 20;

/// The time after which a child is killed that may use so much processor time. Beside busy
/// programs it gets a small part of a processor, and none while it is stopped.
#[must_use]
pub fn clock_limit(processor_time: Duration) -> Duration {
    processor_time.saturating_mul(CLOCK_FACTOR)
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The child cannot be started, or talked to, or the artefact cannot be written.
    #[error("cannot run the compiler: {0}")]
    Run(#[from] io::Error),
    /// It took too long.
    #[error(
        "compiling takes more than {} s of processor time; allow more with `--compile-timeout`",
        .0.as_secs_f64()
    )]
    TimedOut(Duration),
    /// It needed too much memory.
    #[error(
        "compiling takes more than {0} bytes of memory; allow more with `--max-compile-memory`"
    )]
    OutOfMemory(u64),
    /// The system killed it, although no other compiler ran.
    #[error(
        "the compiler was killed by the system, which happens when the machine or the control \
         group of the server runs out of memory; give it more"
    )]
    Killed,
    /// The compiler panicked.
    #[error(
        "the compiler failed at this component, which is a bug in the compiler: {}; build the \
         component another way, for example without optimisation, and report the bug",
        sanitize::line(.0)
    )]
    Panicked(String),
    /// The compiler itself failed.
    #[error("the compiler failed with {status}, a bug or a hostile component: {}", sanitize::line(.message))]
    Crashed {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard error.
        message: String,
    },
    /// The component cannot be served, and why.
    #[error("{0}")]
    Rejected(String),
    /// The artefact cannot be used here.
    #[error("compiled code cannot be loaded: {0:#}")]
    Load(wasmtime::Error),
}

/// How children are started.
#[derive(Debug)]
pub(super) struct Launcher {
    /// The program, which becomes a child if it is given [`COMPILE_COMMAND`].
    pub(super) program: PathBuf,
    /// The processor time that a child may use, of all threads together.
    pub(super) time: Duration,
    /// How much memory it may have, in bytes.
    pub(super) memory_bytes: u64,
    /// Its nice value.
    pub(super) nice: u8,
}

/// A child, which is killed when this is dropped.
struct ChildGuard(Option<Child>);

impl ChildGuard {
    /// Waits for the child, which ends by itself.
    async fn wait(mut self) -> io::Result<ExitStatus> {
        let mut child = self.0.take().ok_or(io::ErrorKind::NotFound)?;
        let waited = spawn_blocking(move || child.wait()).await;
        waited.map_err(io::Error::other)?
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It fails if the child has ended.
            let _ = child.kill();
            // Giving gigabytes back takes a while, which this thread may not have.
            let reap = move || child.wait();
            let _ = thread::Builder::new().spawn(reap);
        }
    }
}

impl Launcher {
    /// Does `job` in a child, which writes the artefact to `output`. If this future is dropped,
    /// the child is killed.
    pub(super) async fn run(
        &self,
        job: &Job,
        output: File,
    ) -> Result<Option<Compiled>, CompileError> {
        let (running, socket, stderr) = self.start(output)?;
        let limit = clock_limit(self.time);
        let Ok(exchanged) = timeout(limit, exchange(job, socket, stderr)).await else {
            return Err(CompileError::TimedOut(self.time));
        };
        let (reply, message) = exchanged?;
        // It has closed its side, so that it has ended or is about to.
        let status = running.wait().await?;
        if status.success() {
            let reply: Reply = serde_json::from_slice(&reply).map_err(io::Error::other)?;
            return match reply {
                Reply::Done(compiled) => Ok(compiled),
                Reply::Rejected(reason) => Err(CompileError::Rejected(reason)),
            };
        }
        Err(self.failure(status, message))
    }

    /// Starts a child, and returns the server's ends of its socket and its standard error.
    fn start(&self, output: File) -> io::Result<(ChildGuard, UnixStream, Receiver)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        let passed = PASSED_VARIABLES.map(|name| (name, std::env::var_os(name)));
        let passed = passed
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let limits = ChildLimits {
            memory_bytes: self.memory_bytes,
            cpu_seconds: self.cpu_seconds(),
            nice: self.nice,
        };
        let mut child = Command::new(&self.program)
            .args(limits.args())
            .env_clear()
            .envs(passed)
            // A terminal interrupts the server, which then ends it.
            .process_group(0)
            .stdin(OwnedFd::from(theirs))
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().map(OwnedFd::from);
        let running = ChildGuard(Some(child));
        ours.set_nonblocking(true)?;
        let stderr = stderr.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((
            running,
            UnixStream::from_std(ours)?,
            Receiver::from_owned_fd(stderr)?,
        ))
    }

    /// The same in whole seconds, as the system counts it.
    fn cpu_seconds(&self) -> u64 {
        let rest = u64::from(self.time.subsec_nanos() > 0);
        self.time.as_secs().saturating_add(rest)
    }

    /// Why a child failed that ended without a reply.
    fn failure(&self, status: ExitStatus, message: String) -> CompileError {
        let signal = status.signal().and_then(Signal::from_named_raw);
        let is_aborted = signal == Some(Signal::ABORT) && message.contains(ALLOCATION_FAILED);
        if status.code() == Some(PANICKED) {
            let lines = message.lines().filter(|line| !line.starts_with("note: "));
            let lines: Vec<_> = lines.map(str::trim).collect();
            return CompileError::Panicked(lines.join(" ").trim().to_owned());
        }
        if is_aborted || status.code() == Some(OUT_OF_MEMORY) {
            return CompileError::OutOfMemory(self.memory_bytes);
        }
        match signal {
            Some(Signal::KILL) => CompileError::Killed,
            Some(Signal::XCPU) => CompileError::TimedOut(self.time),
            _ => CompileError::Crashed { status, message },
        }
    }
}

/// Sends the request, and reads the reply and standard error to their ends.
async fn exchange(
    job: &Job,
    socket: UnixStream,
    stderr: Receiver,
) -> io::Result<(Vec<u8>, String)> {
    let head = job.head()?;
    let (reader, mut writer) = socket.into_split();
    let write = async {
        // A child that ends early says why.
        let mut sent = writer.write_all(&head).await;
        for bytes in job.bodies() {
            if sent.is_ok() {
                sent = writer.write_all(bytes).await;
            }
        }
    };
    let ((), reply, message) = tokio::join!(
        write,
        read(reader, MAX_REPLY_BYTES),
        read(stderr, MAX_STDERR_BYTES)
    );
    let message = String::from_utf8_lossy(&message?).trim().to_owned();
    // Closed only now: a child whose socket is closed ends.
    drop(writer);
    // It is a reset if the child has not read all of the request.
    let reply = reply.or_else(|error| match error.kind() {
        io::ErrorKind::ConnectionReset => Ok(Vec::new()),
        _ => Err(error),
    })?;
    Ok((reply, message))
}

/// Reads to the end, and keeps so many bytes.
async fn read(mut input: impl AsyncRead + Unpin, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    (&mut input).take(max_bytes).read_to_end(&mut kept).await?;
    // A full pipe would hold the child up.
    tokio::io::copy(&mut input, &mut tokio::io::sink()).await?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_compiler_is_reported_as_one_and_not_as_a_lack_of_memory() {
        let launcher = Launcher {
            program: PathBuf::new(),
            time: Duration::ZERO,
            memory_bytes: 1 << 30,
            nice: 0,
        };
        let error = |status, text: &str| {
            let status = ExitStatus::from_raw(status);
            launcher.failure(status, text.to_owned()).to_string()
        };
        let text = "\nthread 'main' panicked at a.rs:1:2:\nit is odd\nnote: run with `X`";
        let panicked = error(PANICKED << 8, text);
        assert!(
            panicked
                .contains("bug in the compiler: thread 'main' panicked at a.rs:1:2: it is odd;")
        );
        assert!(
            !panicked.contains("memory") && !panicked.contains("note"),
            "{panicked}"
        );
        // SIGABRT, which is what an allocation that fails ends with.
        let out_of_memory = error(6, "memory allocation of 8 bytes failed");
        assert!(out_of_memory.contains("--max-compile-memory"));
    }
}
