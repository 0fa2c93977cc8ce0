//! Stress tests: each runs the server for minutes under a fault or a load, and reports every
//! violation of what it promises. The program `stress` has a subcommand for each.
//!
//! - [`kill`]: SIGKILL at any moment, while clients append to the audit log or deploy.
//! - [`drain`]: SIGTERM while clients send.
//! - [`hostile`]: each hostile guest many times, next to a well-behaved one.
//! - [`swap`]: versions of a function, and broken files in their place, under load.
//! - [`soak`]: minutes at a share of the capacity, with growth of memory and descriptors.
//! - [`pressure`]: little memory, with hostile and large guests.
//! - [`harness`]: rounds, violations and seeds, which several of them share.

pub mod drain;
pub mod harness;
pub mod hostile;
pub mod kill;
pub mod pressure;
pub mod soak;
pub mod swap;
