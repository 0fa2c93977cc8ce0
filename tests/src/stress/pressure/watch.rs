//! The memory of the server and its children, sampled while it runs.

use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::process::memory_bytes;

/// Sampling interval.
const TICK: Duration = Duration::from_millis(50);

/// Samples a process and its children.
#[derive(Debug)]
pub(super) struct Watcher {
    stop: mpsc::Sender<()>,
    peak: JoinHandle<u64>,
}

impl Watcher {
    /// Starts to sample the process `pid`.
    pub(super) fn start(pid: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let peak = thread::spawn(move || {
            let mut peak = 0;
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let all = children(pid).into_iter().chain([pid]);
                peak = peak.max(all.filter_map(held_bytes).sum());
            }
            peak
        });
        Self { stop, peak }
    }

    /// The peak of their sum, in bytes.
    pub(super) fn stop(self) -> u64 {
        let _ = self.stop.send(());
        self.peak.join().expect("the sampler does not panic")
    }
}

/// Anonymous and shared memory of a process; none if it has ended.
fn held_bytes(pid: u32) -> Option<u64> {
    Some(memory_bytes(pid, "RssAnon")? + memory_bytes(pid, "RssShmem")?)
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
