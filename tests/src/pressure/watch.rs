//! The memory of the server and of all that it starts, watched while it runs.

use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Watches a process and its children.
#[derive(Debug)]
pub(super) struct Watcher {
    stop: mpsc::Sender<()>,
    most: JoinHandle<u64>,
}

impl Watcher {
    /// Begins to watch the process `pid`.
    pub(super) fn start(pid: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let most = thread::spawn(move || {
            let mut most = 0;
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let all = children(pid).into_iter().chain([pid]);
                most = most.max(all.filter_map(held_bytes).sum());
            }
            most
        });
        Self { stop, most }
    }

    /// The most that all had together, in bytes.
    pub(super) fn stop(self) -> u64 {
        let _ = self.stop.send(());
        self.most.join().expect("it does not panic")
    }
}

/// The anonymous and the shared memory of a process; none when it is gone.
fn held_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let figure = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    };
    Some(figure("RssAnon:")? + figure("RssShmem:")?)
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            let numbers = text.split_ascii_whitespace().map(str::parse);
            numbers.flatten().collect::<Vec<_>>()
        })
        .collect()
}
