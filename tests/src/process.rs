//! A program that runs, and is stopped when nobody needs it any more.

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

/// A program that has ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Everything from standard output.
    pub stdout: String,
    /// Everything from standard error.
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

    /// The same, but nothing reads its standard error before [`Output::resume`].
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

    /// Tells the program to end, and waits until it has, but no longer than a test waits. It ends
    /// those that it has started, which would go on if it were killed.
    pub fn terminate(&mut self) {
        const PAUSE: Duration = Duration::from_millis(5);

        let id = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(id, Signal::TERM);
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(PAUSE);
        }
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the program ends.
    pub fn wait(&mut self) -> ExitStatus {
        // A wait with a deadline: the outputs end with the program.
        let _ = self.stdout.wait_for_end();
        if !self.stderr.is_paused() {
            let _ = self.stderr.wait_for_end();
        }
        self.child.wait().expect("a child can be waited for")
    }

    /// The same without a deadline, for what has to take long.
    pub fn wait_however_long(&mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }

    /// Waits until the program ends, and returns what it left.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let status = self.wait();
        Finished {
            code: status.code(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
