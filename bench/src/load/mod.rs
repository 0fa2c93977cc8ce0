//! Requests.
//!
//! - [`http`]: one of them, to see whether the answer is right.
//! - [`wrk`]: as many as the server answers.

pub(crate) mod http;
pub(crate) mod wrk;
