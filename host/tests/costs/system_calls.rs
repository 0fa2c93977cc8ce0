//! System calls of the real program, counted through `ptrace`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use nix::errno::Errno;
use nix::unistd::Pid;
use tempfile::TempDir;
use wasmtime::PoolingAllocationConfig;

use crate::figures::{self, Figures};
use crate::service::{self, Client, VARIABLE};
use crate::tracer::{Role, Shared, Tracer};
use crate::{COUNTED, WARM_UP, threads};

/// The threads that take part in a request.
const THREADS: [(&str, Role); 2] = [("worker-0", Role::Worker), ("audit-log", Role::Writer)];

/// The program, which is killed on drop.
struct Server {
    process: Child,
    addr: SocketAddr,
    /// The folder of its audit log.
    _folder: TempDir,
}

impl Server {
    fn start(component: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // SQLite runs checkpoints between records, which makes figures uneven.
        let log = folder.path().join("audit.jsonl");
        let mut process = Command::new(env!("CARGO_BIN_EXE_component-runner"))
            .arg("serve")
            .arg(component)
            .args(["--addr=127.0.0.1:0", "--threads=1"])
            .arg(format!("--audit=jsonl:{}", log.display()))
            .arg(format!("--env={}={}", VARIABLE.0, VARIABLE.1))
            .env("RUST_LOG", "error")
            // The allocator returns memory by time, not per request.
            .env("MIMALLOC_PURGE_DELAY", "-1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program was built for this test");
        let mut line = String::new();
        let stdout = process.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it prints its address");
        let addr = line
            .trim_end()
            .strip_prefix("listening on http://")
            .and_then(|addr| addr.parse().ok())
            .unwrap_or_else(|| panic!("expected an address, found `{line}`"));
        Self {
            process,
            addr,
            _folder: folder,
        }
    }

    fn thread(&self, name: &str) -> Pid {
        let threads = threads::named(&self.process.id().to_string(), name);
        let [thread] = threads[..] else {
            panic!("expected one thread `{name}`, found {threads:?}");
        };
        Pid::from_raw(thread)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if the program has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves `component` and counts the system calls of each thread per request.
fn measure(component: &Path) -> Result<Vec<(&'static str, Figures)>, Errno> {
    let server = Server::start(component);
    let mut client = Client::connect(server.addr);
    client.send(WARM_UP);
    // The epoch ticker interrupts guests by time, which adds random calls.
    let epoch = Tracer::stop(server.thread("epoch"))?;
    let shared = Arc::new(Shared::default());
    let tracers = THREADS
        .into_iter()
        .map(|(name, role)| Tracer::follow(server.thread(name), role, shared.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    // The attachment of the tracer disturbs the first requests.
    client.send(WARM_UP);
    shared.counting.store(true, SeqCst);
    client.send(COUNTED);
    shared.counting.store(false, SeqCst);
    drop(server);
    epoch.finish();

    let per_request = |(name, count): (&str, u32)| {
        let figure = f64::from(count) / f64::from(COUNTED);
        (name.to_owned(), figure)
    };
    let figures = tracers
        .into_iter()
        .map(|tracer| tracer.finish().into_iter().map(per_request).collect());
    Ok(THREADS
        .map(|(name, _)| name)
        .into_iter()
        .zip(figures)
        .collect())
}

fn check(component: &str) {
    let _alone = crate::alone();
    if !PoolingAllocationConfig::is_pagemap_scan_available() {
        return figures::say(
            "system calls are NOT COMPARED: this kernel has no PAGEMAP_SCAN (Linux 6.7), \
             without which memories are cleared by other calls",
        );
    }
    match measure(&service::component(component)) {
        Ok(threads) => {
            for (thread, figures) in threads {
                let subject = format!("system calls of `{thread}`");
                figures::check(component, &subject, &figures);
            }
        }
        Err(error) => figures::say(&format!(
            "system calls are NOT COUNTED: this system refuses `ptrace`: {error}; a container \
             needs the capability SYS_PTRACE, another machine `kernel.yama.ptrace_scope` below 2"
        )),
    }
}

#[test]
fn a_request_to_the_closed_app_makes_no_more_system_calls_than_committed() {
    check("app-closed");
}

#[test]
fn a_request_to_the_open_app_makes_no_more_system_calls_than_committed() {
    check("app");
}

#[test]
fn a_request_to_the_fused_app_makes_no_more_system_calls_than_committed() {
    check("app-fused");
}
