//! Requests.
//!
//! - [`job`]: what is asked for, and whether the answer is right.
//! - [`http`]: one request at a time.
//! - [`held`]: requests that are begun and not finished.
//! - [`kept`]: connections that are kept and say nothing.
//! - [`paced`]: so many a second.
//! - [`wrk`]: as many as the server answers.
//! - [`crowd`]: many more than that.
//! - [`timed`]: one after the other, each of them timed.
//! - [`again`]: clients that ask for what never ends.
//! - [`slow`]: clients that begin a request and wait.
//! - [`slowhttptest`]: the same and more, by a program that is known for it.

pub(crate) mod again;
pub(crate) mod crowd;
pub(crate) mod held;
pub(crate) mod http;
pub(crate) mod job;
pub(crate) mod kept;
pub(crate) mod paced;
pub(crate) mod slow;
pub(crate) mod slowhttptest;
pub(crate) mod timed;
pub(crate) mod wrk;
