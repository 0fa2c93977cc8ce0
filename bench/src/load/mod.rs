//! Load generators.
//!
//! - [`job`]: the request, and the expected answer.
//! - [`http`]: one request at a time.
//! - [`held`]: incomplete requests.
//! - [`paced`]: requests at a fixed rate.
//! - [`wrk`]: as many requests as the server answers.
//! - [`crowd`]: many more requests than that.
//! - [`timed`]: one request after the other, each of them timed.
//! - [`endless`]: requests whose responses never end.
//! - [`slow`]: clients that send a part of a request and wait.
//! - [`slowhttptest`]: slow clients of the program of this name.

pub(crate) mod crowd;
pub(crate) mod endless;
pub(crate) mod held;
pub(crate) mod http;
pub(crate) mod job;
pub(crate) mod paced;
pub(crate) mod slow;
pub(crate) mod slowhttptest;
pub(crate) mod timed;
pub(crate) mod wrk;
