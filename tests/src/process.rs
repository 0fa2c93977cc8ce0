//! A running program, stopped when dropped.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::DEADLINE;
use crate::output::Output;

pub use rustix::process::Signal;

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
}

/// A program that ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a program without input.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let process = Self::start_unread(command);
        process.stderr.resume();
        process
    }

    /// Starts a program whose standard error is not read before [`Output::resume`].
    #[must_use]
    pub fn start_unread(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = Output::collect(child.stdout.take().expect("a pipe"));
        let stderr = Output::collect_later(child.stderr.take().expect("a pipe"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("the process is there");
    }

    /// Sends SIGTERM and waits until the program ends, or until the deadline. So it ends its own
    /// children, which a kill would leave running.
    pub fn terminate(&mut self) {
        const PAUSE: Duration = Duration::from_millis(5);

        let id = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(id, Signal::TERM);
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(PAUSE);
        }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the program ends.
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_within(DEADLINE)
    }

    fn wait_within(&mut self, limit: Duration) -> ExitStatus {
        // The outputs end with the program, and waiting for them has a deadline.
        let _ = self.stdout.wait_for_end_within(limit);
        if !self.stderr.is_paused() {
            let _ = self.stderr.wait_for_end_within(limit);
        }
        self.child.wait().expect("a child can be waited for")
    }

    /// Waits until the program ends, without a deadline.
    pub fn wait_without_deadline(&mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }

    /// Waits until the program ends, and returns its exit code and output.
    #[must_use]
    pub fn finish(self) -> Finished {
        self.finish_within(DEADLINE)
    }

    /// Like [`finish`](Self::finish), for a program that takes up to `limit`.
    #[must_use]
    pub fn finish_within(mut self, limit: Duration) -> Finished {
        let status = self.wait_within(limit);
        Finished {
            code: status.code(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A figure of `/proc/PID/status` such as `VmRSS`, in bytes; none if the process has ended or the
/// system has no `/proc`.
#[must_use]
pub fn memory_bytes(pid: u32, figure: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| *name == figure)?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
