//! Forwarding to a real nats-server and to an OpenTelemetry receiver.
//!
//! Slow tests are ignored by default, and run with
//! `cargo test -p audit-log-forward -- --ignored`.
//!
//! - `nats.rs`: records in a stream of a nats-server; `outage.rs`: during its outages;
//!   `rejection.rs`: records and connections that it rejects.
//! - `otlp.rs`: records at an OpenTelemetry receiver.
//! - `support/`: the log, the servers, and the captured server log.

mod nats;
mod otlp;
mod outage;
mod rejection;
mod support;
