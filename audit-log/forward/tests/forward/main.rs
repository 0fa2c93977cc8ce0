//! A log as those see it who collect the logs of many servers.
//!
//! What takes long is left out by default, and runs with
//! `cargo test -p audit-log-forward -- --ignored`.
//!
//! - `nats.rs`: records in a stream of a real nats-server; `outage.rs`: while that
//!   comes and goes; `refusal.rs`: one that does not want them.
//! - `otlp.rs`: records at a receiver of OpenTelemetry.
//! - `support/`: the log, the servers, and what the log of the program says.

mod nats;
mod otlp;
mod outage;
mod refusal;
mod support;
