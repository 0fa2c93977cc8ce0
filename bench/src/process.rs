//! Child processes that do not outlive this program.

use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use anyhow::{Context, Result};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Children that have not been waited for. A signal is sent only to a process id in this list,
/// under its lock, so the id cannot belong to another program.
static CHILDREN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A child process that is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    waited: bool,
}

impl Process {
    /// Starts a program.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let mut children = children();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
        children.push(child.id());
        let waited = false;
        Ok(Self { child, waited })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child itself, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        // Without the lock, or the end of this program would wait for the child.
        let status = self.child.wait()?;
        self.forget(&mut children());
        Ok(status)
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut children = children();
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.forget(&mut children);
        }
        Ok(status)
    }

    fn forget(&mut self, children: &mut Vec<u32>) {
        children.retain(|&pid| pid != self.child.id());
        self.waited = true;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.waited {
            return;
        }
        let mut children = children();
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.forget(&mut children);
    }
}

fn children() -> MutexGuard<'static, Vec<u32>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes SIGINT and SIGTERM end the children, too.
pub(crate) fn end_with_this_program() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(guard);
    thread::spawn(move || {
        let number = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
            }
        });
        // The lock is held until the exit, so that no child is started.
        let children = children();
        for &pid in &*children {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        std::process::exit(128 + number);
    });
    Ok(())
}

/// Raises the limit of open files of this program and its children to the maximum; the default is
/// often 1,024.
pub(crate) fn allow_many_connections() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleep() -> Process {
        Process::spawn(Command::new("sleep").arg("60")).unwrap()
    }

    #[test]
    fn a_dropped_process_is_killed() {
        let process = sleep();
        let folder = format!("/proc/{}", process.id());
        assert!(std::path::Path::new(&folder).exists());
        drop(process);
        assert!(!std::path::Path::new(&folder).exists());
    }

    #[test]
    fn a_running_process_has_not_ended() {
        assert!(sleep().ended().unwrap().is_none());
    }

    #[test]
    fn an_ended_process_has_an_exit_status() {
        let mut process = Process::spawn(&mut Command::new("false")).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(1));
        assert!(!children().contains(&process.id()));
    }

    #[test]
    fn a_missing_program_is_named() {
        let Err(error) = Process::spawn(&mut Command::new("no-such-program")) else {
            panic!("it started");
        };
        assert!(error.to_string().contains("`no-such-program`"));
    }
}
