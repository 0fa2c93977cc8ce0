//! Admission and scheduling of guests.
//!
//! - `admission.rs`: the concurrency limit and the wait queue of one function on one worker;
//!   `shared_slots.rs`: the slots of a pool that functions share.
//! - `instances.rs`: the instances of one function on one worker, and their reuse.
//! - `cpu_history.rs`: the processor time of a function so far, which decides where its guests
//!   start.
//! - `offload.rs`: the threads for CPU-bound guests; `fair_queue.rs`: the order of guests there.
//!   `handler/guest_task.rs` decides when a guest moves there.
//! - `pace.rs`: requests of one function that begin in one iteration of the event loop;
//!   `crowding.rs`: whether workers have more ready tasks than time.

pub(crate) mod admission;
pub(crate) mod cpu_history;
pub(crate) mod crowding;
pub(crate) mod fair_queue;
pub(crate) mod instances;
pub(crate) mod offload;
pub(crate) mod pace;
pub(crate) mod shared_slots;
