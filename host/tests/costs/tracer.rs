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

/// How often each system call was made, by its name.
pub(crate) type Counts = BTreeMap<&'static str, u32>;

/// Follows one thread until it ends, from a thread of its own: no other may wait
/// for it.
pub(crate) struct Tracer(JoinHandle<Counts>);

/// What a tracer does besides counting.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// Tells when its thread waits for events.
    Worker,
    /// Lets its thread write only while the worker waits. Otherwise it would be
    /// chance whether the worker still runs or has to be woken when the writer is
    /// done, and each costs other calls.
    Writer,
}

/// What the tracers of one server share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Whether calls count.
    pub(crate) counting: AtomicBool,
    worker_waits: Mutex<bool>,
    changed: Condvar,
    /// The worker did not wait for events while it should have.
    gave_up: AtomicBool,
}

impl Tracer {
    /// Attaches to `thread`.
    ///
    /// # Errors
    ///
    /// Fails if the system does not allow it.
    pub(crate) fn attach(thread: Pid, role: Role, shared: Arc<Shared>) -> Result<Self, Errno> {
        let (report, attached) = mpsc::channel();
        let tracer = thread::spawn(move || {
            let options = Options::PTRACE_O_TRACESYSGOOD;
            // The interruption stops it once, so that it can be told to stop at
            // every system call from there on.
            let result = ptrace::seize(thread, options).and_then(|()| ptrace::interrupt(thread));
            report.send(result).expect("the test waits for it");
            match result {
                Ok(()) => follow(thread, role, &shared),
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
    loop {
        let signal = match waitpid(thread, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceSyscall(_)) => {
                let call = entered(thread);
                if let Some(name) = call
                    && shared.counting.load(SeqCst)
                {
                    *counts.entry(name).or_default() += 1;
                }
                shared.take_turns(role, call);
                None
            }
            Ok(WaitStatus::Stopped(_, signal)) => Some(signal),
            Ok(WaitStatus::PtraceEvent(..)) => None,
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD) => {
                return counts;
            }
            other => panic!("waited for a stop, got {other:?}"),
        };
        // A thread that was killed meanwhile cannot go on: the next wait tells.
        match ptrace::syscall(thread, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("cannot let the thread go on: {error}"),
        }
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
        /// Far longer than a worker takes. Reaching it once is enough: what is
        /// counted then is wrong, and will differ.
        const PATIENCE: Duration = Duration::from_secs(5);

        match role {
            Role::Worker => {
                *self.worker_waits.lock().expect("no panic") = entered == Some("epoll_wait");
                self.changed.notify_all();
            }
            Role::Writer if entered == Some("write") && !self.gave_up.load(SeqCst) => {
                let waits = self.worker_waits.lock().expect("no panic");
                let waited = self
                    .changed
                    .wait_timeout_while(waits, PATIENCE, |waits| !*waits);
                self.gave_up
                    .store(waited.expect("no panic").1.timed_out(), SeqCst);
            }
            Role::Writer => {}
        }
    }
}
