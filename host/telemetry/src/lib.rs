//! Telemetry of each request and of the server.
//!
//! - [`RequestInfo`]: the facts about one request, with its [`RequestId`], its
//!   [principal](InvalidPrincipal) and its trace context (`trace_parent.rs`).
//! - [`Rejection`]: the reason why the server rejects a request, and the response.
//! - [`Telemetry`], [`FunctionTelemetry`], [`RequestTelemetry`]: the report of each request to
//!   [`metrics`], the [`access_log`] and the [`traces`].
//! - [`server_log`]: the server log on standard error, which never blocks a thread that serves
//!   requests.
//! - [`CpuClock`]: CPU time of one guest.
//! - [`Heartbeats`]: liveness of the event loops.
//! - `batch_queue.rs`: the bounded queue in front of each writer; `log_ring.rs`: the last log
//!   lines of a function.

pub mod access_log;
pub mod metrics;
pub mod server_log;
pub mod traces;

mod batch_queue;
mod cpu_clock;
mod heartbeat;
mod log_ring;
mod principal;
mod rejection;
mod request_id;
mod request_info;
mod request_telemetry;
mod trace_parent;

pub use cpu_clock::CpuClock;
pub use heartbeat::{Heartbeat, HeartbeatResponder, Heartbeats};
pub use principal::InvalidPrincipal;
pub use rejection::Rejection;
pub use request_id::{REQUEST_ID, RequestId};
pub use request_info::RequestInfo;
pub use request_telemetry::{FunctionTelemetry, RequestTelemetry, Telemetry};
