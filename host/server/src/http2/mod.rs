//! HTTP/2 with `h2`: hyper, which serves HTTP/1.1, cannot send 100 over HTTP/2.
//!
//! - `preface.rs`: the first bytes of a connection.
//! - `prefixed_io.rs`: the socket, after the bytes that identify the protocol were read.
//! - `connection.rs`: [`Connection`], which accepts the streams of a client.
//! - `stream.rs`: one request and its response.
//!
//! Bodies and checks of heads are in `handler/`, in `http2_body.rs` and `http2_head.rs`.

mod connection;
mod preface;
mod prefixed_io;
mod stream;

pub(super) use connection::Connection;
pub(super) use preface::{PREFACE, read_preface};
pub(super) use prefixed_io::PrefixedIo;
