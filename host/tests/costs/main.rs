//! What one request costs, counted rather than timed, so that it is the same on a
//! busy machine and on an idle one: system calls and allocations on the heap. Each
//! figure is compared with the one that is committed in `figures.json`.
//!
//! - [`figures`]: the comparison, and how to commit new figures.
//! - [`service`]: the component that is asked, and the client that asks it.
//! - [`heap`]: allocations, with the server in this process.
//! - [`system_calls`]: those of the real program.
//! - [`tracer`]: how they are counted, through `ptrace`.
//!
//! This needs Linux: what is counted differs between systems.
#![cfg(target_os = "linux")]

mod figures;
mod heap;
mod service;
#[cfg(target_env = "gnu")]
mod system_calls;
#[cfg(target_env = "gnu")]
mod tracer;
