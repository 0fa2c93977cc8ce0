//! HTTP/1, read strictly before hyper parses it.
//!
//! - `strict_stream.rs`: the stream between the socket and hyper, which passes on only what the
//!   crate `http1-strict` accepts.
//! - `half_closed.rs`: a client that has shut down its sending side.
//! - `linger.rs`: the end of a connection, such that its client receives the last response.

mod half_closed;
mod linger;
mod strict_stream;

pub(crate) use strict_stream::StrictStream;
