//! Processes of compile children: start, limits, and exit status.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{io, thread};

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{sleep, timeout};

use super::child::ChildLimits;
use super::protocol::{Compiled, Job, MAX_REPLY_BYTES, Reply};
use crate::error::CompileError;

/// The subcommand that makes this program a compile child.
pub(super) const COMPILE_COMMAND: &str = "compile-component";

/// Exit code of a child at its memory limit.
pub(super) const OUT_OF_MEMORY: i32 = 12;

/// Exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// Message of Rust on standard error when an allocation fails, before it aborts.
const ALLOCATION_FAILED: &str = "memory allocation of";

/// Size limit of the kept standard error, in bytes.
const MAX_STDERR_BYTES: u64 = 4096;

/// Environment variables that a child inherits: the path of shared libraries. All others may
/// contain secrets of the operator.
const PASSED_VARIABLES: [&str; 1] = ["LD_LIBRARY_PATH"];

/// Limit of the wall time of a child, as a multiple of its CPU time limit.
const CLOCK_FACTOR: u32 = 20;

/// Wall time after which a child with this CPU time limit is killed. On a busy machine, a child
/// gets a small share of a processor, and none while it is stopped.
#[must_use]
pub fn clock_limit(processor_time: Duration) -> Duration {
    processor_time.saturating_mul(CLOCK_FACTOR)
}

/// Starts compile children.
#[derive(Debug)]
pub(super) struct Launcher {
    /// The executable, which becomes a child with the command `compile-component`.
    pub(super) program: PathBuf,
    /// CPU time limit of a child, of all threads together.
    pub(super) time: Duration,
    /// Memory limit of a child, in bytes.
    pub(super) memory_bytes: u64,
    /// Nice value of a child.
    pub(super) nice: u8,
}

/// A running child, which is killed on drop.
struct ChildGuard(Option<Child>);

impl ChildGuard {
    /// Waits for the child to exit, which it does soon: it has closed its socket. It is still killed on drop.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        const INTERVAL: Duration = Duration::from_millis(1);

        let child = self.0.as_mut().ok_or(io::ErrorKind::NotFound)?;
        loop {
            if let Some(status) = child.try_wait()? {
                self.0 = None;
                return Ok(status);
            }
            sleep(INTERVAL).await;
        }
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // Fails if the child has exited.
            let _ = child.kill();
            // Releasing gigabytes takes time, which would block this thread.
            let reap = move || child.wait();
            let _ = thread::Builder::new().spawn(reap);
        }
    }
}

impl Launcher {
    /// Runs `job` in a child, which writes the artefact to `output`. Dropping this future kills the
    /// child.
    pub(super) async fn run(
        &self,
        job: &Job,
        output: File,
    ) -> Result<Option<Compiled>, CompileError> {
        let (mut running, socket, stderr) = self.start(output)?;
        let limit = clock_limit(self.time);
        let replied = async {
            let (reply, message) = exchange(job, socket, stderr).await?;
            io::Result::Ok((reply, message, running.wait().await?))
        };
        let Ok(replied) = timeout(limit, replied).await else {
            return Err(CompileError::TimedOutByClock(limit));
        };
        let (reply, message, status) = replied?;
        if status.success() {
            let reply: Reply = serde_json::from_slice(&reply).map_err(io::Error::other)?;
            return match reply {
                Reply::Done(compiled) => Ok(compiled),
                Reply::Mixed(versions) => Err(CompileError::Mixed(versions)),
                Reply::Rejected(reason) => Err(CompileError::Rejected(reason)),
            };
        }
        Err(self.failure(status, message))
    }

    /// Starts a child. Returns the server's ends of its socket and of its standard error.
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
            // Not in the process group of the terminal: the server is interrupted, and ends the
            // child.
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

    /// The CPU time limit in whole seconds, the unit of the system.
    fn cpu_seconds(&self) -> u64 {
        let rest = u64::from(self.time.subsec_nanos() > 0);
        self.time.as_secs().saturating_add(rest)
    }

    /// The error of a child that exited without a reply.
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

/// Sends the job, and reads the reply and standard error to the end.
async fn exchange(
    job: &Job,
    socket: UnixStream,
    stderr: Receiver,
) -> io::Result<(Vec<u8>, String)> {
    let head = job.head()?;
    let (reader, mut writer) = socket.into_split();
    let write = async {
        // A child that exits early reports the reason on standard error.
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
    // Closed only now: the child exits when its socket is closed.
    drop(writer);
    // The connection is reset if the child has not read the whole job.
    let reply = reply.or_else(|error| match error.kind() {
        io::ErrorKind::ConnectionReset => Ok(Vec::new()),
        _ => Err(error),
    })?;
    Ok((reply, message))
}

/// Reads to the end, and returns the first `max_bytes`.
async fn read(mut input: impl AsyncRead + Unpin, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    (&mut input).take(max_bytes).read_to_end(&mut kept).await?;
    // A full pipe would block the child.
    tokio::io::copy(&mut input, &mut tokio::io::sink()).await?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_compiler_is_reported_as_a_bug_and_not_as_out_of_memory() {
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
        // SIGABRT, after a failed allocation.
        let out_of_memory = error(6, "memory allocation of 8 bytes failed");
        assert!(out_of_memory.contains("--max-compile-memory"));
    }
}
