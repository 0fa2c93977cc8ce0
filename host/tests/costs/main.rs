//! Costs of one request, counted rather than timed, so that they do not depend on the load of the
//! machine: system calls and heap allocations. Each figure is compared with the committed one in
//! `figures.json`.
//!
//! - [`figures`]: the comparison, and how to commit new figures.
//! - [`service`]: the components, and their client.
//! - [`heap`]: allocations, with the server in this process.
//! - [`system_calls`]: system calls of the real program.
//! - [`tracer`]: counting through `ptrace`.
//!
//! Linux only: system calls differ between systems.
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

/// Number of requests before counting, which fill pools and caches, and of counted requests.
const WARM_UP: u32 = 200;
const COUNTED: u32 = 1000;

/// Serialises the tests: they find threads by name and write to one file.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}
