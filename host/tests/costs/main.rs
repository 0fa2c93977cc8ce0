//! What one request costs, counted rather than timed, so that it is the same on a
//! busy machine and on an idle one: system calls and allocations on the heap. Each
//! figure is compared with the one that is committed in `figures.json`.
//!
//! - [`figures`]: the comparison, and how to commit new figures.
//! - [`service`]: the components that are asked, and the client that asks them.
//! - [`heap`]: allocations, with the server in this process.
//! - [`system_calls`]: those of the real program.
//! - [`tracer`]: how they are counted, through `ptrace`.
//!
//! This needs Linux: what is counted differs between systems.
#![cfg(target_os = "linux")]

mod figures;
mod heap;
#[path = "../service/mod.rs"]
mod service;
#[cfg(target_env = "gnu")]
mod system_calls;
mod threads;
#[cfg(target_env = "gnu")]
mod tracer;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many requests come before the counting, so that pools and caches are
/// filled, and how many are counted.
const WARM_UP: u32 = 200;
const COUNTED: u32 = 1000;

/// One test at a time: they find threads by their names, and write to one file.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}
