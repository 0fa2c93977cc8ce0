//! A `wasi:http` server that runs every request in a sandbox of its own and
//! gives guests one capability beside WASI: an audit log.
//!
//! Read it in the order in which a request meets it:
//!
//! - [`server`]: from the listener over the worker threads to one request, and
//!   back to the last byte of the response.
//! - [`guest`]: a component, checked and compiled ([`guest::App`]), and what
//!   one instance of it may see.
//! - [`audit`]: the capability `runner:audit/audit-log`, on top of the crate
//!   [`audit_log`].
//! - [`ops`]: numbers for those who operate the server.
//!
//! The program beside this library is [`cli`] and `main.rs`: it parses, binds,
//! and calls [`server::run`].
//!
//! The library knows `wasi:http` and `runner:audit`. Whatever else a guest does
//! is its own business.

pub mod audit;
pub mod cli;
pub mod guest;
pub mod ops;
pub mod server;

mod meter;
mod request_id;
mod request_info;

pub use request_id::RequestId;
pub use request_info::RequestInfo;
