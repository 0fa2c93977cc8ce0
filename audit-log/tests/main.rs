//! Tests of logs by their public interface, in one program, so that SQLite is linked once.
//!
//! - `log.rs`: appending and reading back; `check.rs`: the dry run of opening a log.
//! - `files/`: files that other programs change.
//! - `prune.rs`: removal of old records.
//! - `tampering.rs`: random changes; `attacks/`: the attacks of `docs/guide/audit-log.md`.
//! - `foreign_tools.rs`: the commands of `docs/guide/audit-log.md`.
//! - `support.rs`: shared helpers.

mod attacks;
mod check;
#[cfg(unix)]
mod files;
mod foreign_tools;
mod log;
mod prune;
mod support;
mod tampering;
