//! System calls that fail for a while: a process that `strace` holds on to.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::DEADLINE;
use crate::process::{Process, Signal};

/// A fault that lasts until this is dropped.
#[derive(Debug)]
pub struct Fault {
    strace: Process,
}

impl Fault {
    /// Makes system calls of one thread of the process `pid` fail, which is the one
    /// that is named `thread`. How, `injection` says, which is what
    /// `strace -e inject=` takes. It concerns only calls about `files`. From when
    /// this returns, they fail.
    ///
    /// Returns None, and says so, where that cannot be done: where there is no
    /// `strace`, or where the system lets no process hold on to another.
    #[must_use]
    pub fn inject(pid: u32, thread: &str, injection: &str, files: &[PathBuf]) -> Option<Self> {
        if Command::new("strace").arg("-V").output().is_err() {
            eprintln!("NOT CHECKED: there is no `strace`");
            return None;
        }
        let mut command = Command::new("strace");
        command.args(["-o", "/dev/null", "-e", &format!("inject={injection}")]);
        for file in files {
            command.arg("-P").arg(file);
        }
        command.args(["-p", &thread_named(pid, thread).to_string()]);
        let strace = Process::start(&mut command);
        let attached = strace.stderr.wait_for_entry_or_end(&["attached"], DEADLINE);
        if attached.is_none() {
            let why = strace.finish().stderr;
            assert!(why.contains("Operation not permitted"), "{why}");
            eprintln!("NOT CHECKED: {why}");
            return None;
        }
        Some(Self { strace })
    }
}

impl Drop for Fault {
    /// Lets the process go. From then on all calls work.
    fn drop(&mut self) {
        self.strace.signal(Signal::TERM);
        self.strace.wait();
    }
}

/// The thread of the process `pid` that has this name.
fn thread_named(pid: u32, name: &str) -> i32 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
    threads
        .map(|thread| thread.expect("a thread").path())
        // A thread that has ended meanwhile has no name.
        .find(|thread| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        })
        .and_then(|thread| thread.file_name()?.to_str()?.parse().ok())
        .unwrap_or_else(|| panic!("no thread of {pid} is named `{name}`"))
}
