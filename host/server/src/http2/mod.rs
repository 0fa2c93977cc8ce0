//! HTTP/2, with `h2`: hyper, which serves HTTP/1.1, can send no 100 over HTTP/2.
//!
//! - `preface.rs`: what a connection begins with.
//! - `connection.rs`: [`Connection`], which accepts the streams of a client.
//! - `stream.rs`: one request and its response.
//! - `body.rs`: [`StreamBody`], the body of a request.
//! - `head.rs`: what `h2` lets through that must not get in.

mod body;
mod connection;
mod head;
mod preface;
mod stream;

pub(super) use body::StreamBody;
pub(super) use connection::Connection;
pub(super) use head::{check_head, join_cookies};
pub(super) use preface::{PREFACE, read_preface};
