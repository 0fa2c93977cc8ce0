//! HTTP/2 with `h2`: hyper, which serves HTTP/1.1, cannot send 100 over HTTP/2.
//!
//! - `preface.rs`: the first bytes of a connection.
//! - `connection.rs`: [`Connection`], which accepts the streams of a client.
//! - `stream.rs`: one request and its response.
//! - `body.rs`: [`StreamBody`], the body of a request.
//! - `head.rs`: checks that `h2` does not make.

mod body;
mod connection;
mod head;
mod preface;
mod stream;

pub(super) use body::StreamBody;
pub(super) use connection::Connection;
pub(super) use head::{check_head, join_cookies};
pub(super) use preface::{PREFACE, read_preface};
