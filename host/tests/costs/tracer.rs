//! Counts the system calls of threads of another process, through `ptrace`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::PTRACE_SYSCALL_INFO_ENTRY;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use syscalls::Sysno;

/// Number of calls of each system call, by name.
pub(crate) type Counts = BTreeMap<&'static str, u32>;

/// Traces one thread until it ends, from a thread of its own: only the tracer thread may wait for
/// it.
pub(crate) struct Tracer(JoinHandle<Counts>);

/// A thread that takes part in a request. The two threads wake each other, which adds calls only if
/// the other one sleeps. To make that deterministic, each is held after its part until the other one
/// sleeps.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// Serves the request.
    Worker,
    /// Writes audit records.
    Writer,
}

impl Role {
    fn other(self) -> Self {
        match self {
            Self::Worker => Self::Writer,
            Self::Writer => Self::Worker,
        }
    }

    /// The system call in which it sleeps.
    fn sleeps_in(self) -> &'static str {
        match self {
            Self::Worker => "epoll_wait",
            Self::Writer => "futex",
        }
    }

    /// The call before which it is held.
    fn is_held_before(self) -> &'static str {
        match self {
            Self::Worker => "sendto",
            Self::Writer => "write",
        }
    }
}

/// Shared state of the tracers of one server.
#[derive(Default)]
pub(crate) struct Shared {
    /// Whether calls count.
    pub(crate) counting: AtomicBool,
    /// Whether the thread of each role sleeps, or is held.
    asleep: Mutex<[bool; 2]>,
    changed: Condvar,
    /// One of them did not sleep while it should have.
    gave_up: AtomicBool,
}

impl Tracer {
    /// Counts the system calls of `thread`.
    ///
    /// # Errors
    ///
    /// Fails if the system does not allow it.
    pub(crate) fn follow(thread: Pid, role: Role, shared: Arc<Shared>) -> Result<Self, Errno> {
        Self::attach(thread, move || follow(thread, role, &shared))
    }

    /// Stops `thread` for good, and counts nothing.
    ///
    /// # Errors
    ///
    /// Fails if the system does not allow it.
    pub(crate) fn stop(thread: Pid) -> Result<Self, Errno> {
        Self::attach(thread, move || {
            // The thread is never resumed after its first stop.
            while next_stop(thread).is_some() {}
            Counts::new()
        })
    }

    fn attach(thread: Pid, trace: impl FnOnce() -> Counts + Send + 'static) -> Result<Self, Errno> {
        let (report, attached) = mpsc::channel();
        let tracer = thread::spawn(move || {
            let options = Options::PTRACE_O_TRACESYSGOOD;
            // The interrupt stops the thread once, so that it can be resumed with stops at every
            // system call.
            let result = ptrace::seize(thread, options).and_then(|()| ptrace::interrupt(thread));
            report.send(result).expect("the test waits for it");
            match result {
                Ok(()) => trace(),
                Err(_) => Counts::new(),
            }
        });
        attached.recv().expect("the tracer reports")?;
        Ok(Self(tracer))
    }

    /// Waits until the thread has ended, and returns what was counted.
    pub(crate) fn finish(self) -> Counts {
        self.0.join().expect("the tracer ends with its thread")
    }
}

fn follow(thread: Pid, role: Role, shared: &Shared) -> Counts {
    let mut counts = Counts::new();
    while let Some(stop) = next_stop(thread) {
        let signal = match stop {
            WaitStatus::PtraceSyscall(_) => {
                let call = entered(thread);
                if let Some(name) = call
                    && shared.counting.load(SeqCst)
                {
                    *counts.entry(name).or_default() += 1;
                }
                shared.take_turns(role, call);
                None
            }
            WaitStatus::Stopped(_, signal) => Some(signal),
            _ => None,
        };
        // A thread that was killed meanwhile is reported by the next wait.
        match ptrace::syscall(thread, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("cannot resume the thread: {error}"),
        }
    }
    counts
}

/// Waits until the thread stops. Returns none when it has ended instead.
fn next_stop(thread: Pid) -> Option<WaitStatus> {
    match waitpid(thread, Some(WaitPidFlag::__WALL)) {
        Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD) => None,
        Ok(stop) => Some(stop),
        Err(error) => panic!("cannot wait for the thread: {error}"),
    }
}

/// The name of the system call at whose entry the thread has stopped; none if it
/// has stopped where the call returns.
fn entered(thread: Pid) -> Option<&'static str> {
    let info = ptrace::syscall_info(thread).ok()?;
    if info.op != PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    #[expect(
        unsafe_code,
        reason = "a union of C; `op` says that this is its variant"
    )]
    // SAFETY: the kernel wrote `entry`, as `op` says.
    let number = unsafe { info.u.entry.nr };
    let call = usize::try_from(number).ok().and_then(Sysno::new);
    Some(match call.map(|call| call.name()) {
        // The same call on machines that have only the one with a signal mask.
        Some("epoll_pwait") => "epoll_wait",
        Some(name) => name,
        None => "unknown",
    })
}

impl Shared {
    fn take_turns(&self, role: Role, entered: Option<&str>) {
        /// Far longer than either thread needs. After one timeout the figures are wrong, and differ.
        const HOLD_TIMEOUT: Duration = Duration::from_secs(5);

        let is_held = entered == Some(role.is_held_before());
        let mut asleep = self.asleep.lock().expect("no panic");
        asleep[role as usize] = is_held || entered == Some(role.sleeps_in());
        self.changed.notify_all();
        if !is_held || self.gave_up.load(SeqCst) {
            return;
        }
        let (mut asleep, waited) = self
            .changed
            .wait_timeout_while(asleep, HOLD_TIMEOUT, |asleep| {
                !asleep[role.other() as usize]
            })
            .expect("no panic");
        asleep[role as usize] = false;
        self.gave_up.store(waited.timed_out(), SeqCst);
    }
}
