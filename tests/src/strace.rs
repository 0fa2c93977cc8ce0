//! System calls that fail for a while, by the fault injection of `strace`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::DEADLINE;
use crate::process::{Process, Signal};

/// A fault that ends when dropped.
#[derive(Debug)]
pub struct Fault {
    strace: Process,
}

impl Fault {
    /// Makes system calls of the thread `thread` of the process `pid` fail as the value of `strace
    /// -e inject=` in `injection` describes, if they are about one of `files`. They fail from when
    /// this returns.
    ///
    /// Returns `None`, and prints a line, where `strace` is missing or may not attach.
    #[must_use]
    pub fn inject(pid: u32, thread: &str, injection: &str, files: &[PathBuf]) -> Option<Self> {
        if Command::new("strace").arg("-V").output().is_err() {
            eprintln!("NOT CHECKED: `strace` is missing");
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
    /// Detaches. From then on all calls work.
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
        // A thread that has ended has no `comm`.
        .find(|thread| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        })
        .and_then(|thread| thread.file_name()?.to_str()?.parse().ok())
        .unwrap_or_else(|| panic!("process {pid} has no thread `{name}`"))
}
