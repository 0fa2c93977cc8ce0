//! Limits of the requests to one function.

use std::num::NonZeroU32;
use std::time::Duration;

/// Limits of the requests to one function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Time limit of a guest until the head of its response.
    pub request_timeout: Duration,
    /// Time limit of a guest between two pieces of the body of its response.
    pub response_idle_timeout: Duration,
    /// Time limit of the work of a guest after the end of its response.
    pub post_return_timeout: Duration,
    /// Number of requests that one instance serves, one after the other. Requests are isolated from
    /// each other only if it is 1.
    pub requests_per_instance: NonZeroU32,
    /// Number of requests that may wait for an instance.
    pub max_queued: u32,
    /// Time limit of a request in the queue.
    pub queue_timeout: Duration,
}
