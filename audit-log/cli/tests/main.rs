//! Tests of the commands by their command lines and output.
//!
//! - `output.rs`: `query` and `tail`, the output formats, and invalid command lines.
//! - `verify.rs`: `verify` and `key`.
//! - `export_prune.rs`: `export` and `prune`.
//! - `support.rs`: logs to run commands on.

mod export_prune;
mod output;
mod support;
mod verify;
