//! What a server reports of its requests, and of itself.
//!
//! - [`RequestInfo`]: the facts about one request, with its [`RequestId`], its
//!   [principal](InvalidPrincipal) and its trace context.
//! - [`Rejection`]: a response of the server itself, and its reason.
//! - [`Telemetry`], [`FunctionTelemetry`], [`RequestTelemetry`]: the report of each request, to
//!   [`metrics`], the [`access_log`] and the [`traces`].
//! - [`server_log`]: the server's own log on standard error, which never blocks a thread that
//!   serves.
//! - [`CpuClock`]: processor time of one guest.
//! - [`Heartbeats`]: liveness of the event loops.
//! - `batch_queue.rs`: the bounded queue before each writer; `log_ring.rs`: the last lines of a
//!   function.

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
