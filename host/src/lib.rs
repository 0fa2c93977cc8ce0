//! A `wasi:http` server that runs every request in a sandbox of its own and
//! gives guests one capability beside WASI: an audit log.
//!
//! Read it in the order in which a request meets it:
//!
//! - [`server`]: from the listener over the worker threads to one request, and
//!   back to the last byte of the response.
//! - [`functions`]: which component gets a request, where there are many.
//! - [`guest`]: a component, checked and compiled ([`guest::App`]), and what
//!   one instance of it may see.
//! - [`audit`]: the capability `runner:audit/audit-log`, on top of the crate
//!   [`audit_log`].
//! - [`tls`]: the certificate and the key, from their files.
//! - [`outbound`]: the requests that guests send, and to whom they may.
//! - [`telemetry`]: what is told of each request: [`metrics`], a line of the
//!   [`access_log`], and a span of its [trace](traces).
//! - [`server_log`]: the log on standard error, which never blocks a thread that serves.
//! - [`ops`]: all of that, and whether the server works, for those who operate it.
//! - [`memory`]: how much memory it may have.
//! - [`permissions`]: owners and modes of files that other users must not change or read.
//!
//! The program beside this library is [`cli`] and `main.rs`: it parses, binds,
//! and calls [`server::run`].
//!
//! The library knows `wasi:http` and `runner:audit`. Whatever else a guest does
//! is its own business.

pub mod access_log;
pub mod audit;
pub mod cli;
pub mod functions;
pub mod guest;
pub mod memory;
pub mod metrics;
pub mod ops;
pub mod outbound;
pub mod permissions;
pub mod server;
pub mod server_log;
pub mod telemetry;
pub mod tls;
pub mod traces;

mod host_name;
mod mailbox;
mod meter;
mod principal;
mod request_id;
mod request_info;
mod system_clock;
mod tail;
mod trace_parent;

pub use request_id::RequestId;
pub use request_info::RequestInfo;
