//! Requests.
//!
//! - [`job`]: what is asked for, and whether the answer is right.
//! - [`http`]: one request at a time.
//! - [`held`]: requests that are begun and not finished.
//! - [`paced`]: so many a second.
//! - [`wrk`]: as many as the server answers.

pub(crate) mod held;
pub(crate) mod http;
pub(crate) mod job;
pub(crate) mod paced;
pub(crate) mod wrk;
