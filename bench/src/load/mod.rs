//! Load generators.
//!
//! - [`job`]: the request, and the expected answer; [`http`]: one request at a time.
//! - [`wrk`]: as many requests as the server answers; [`flood`]: many more than that.
//! - [`paced`]: requests at a fixed rate.
//! - [`held`], [`slow`], [`slowhttptest`]: incomplete requests, and clients that send or read slowly.

pub(crate) mod flood;
pub(crate) mod held;
pub(crate) mod http;
pub(crate) mod job;
pub(crate) mod paced;
pub(crate) mod slow;
pub(crate) mod slowhttptest;
pub(crate) mod wrk;
