//! HTTP/1.1 by hand.
//!
//! The usual clients repair what they are given and hide what they get. This one
//! sends what it is told, also half of it or two at once, and says when an answer
//! breaks off.
//!
//! - [`Request`]: the bytes of a request.
//! - [`Connection`]: sends and receives on one connection.
//! - [`Response`]: what came back.

mod connection;
mod request;
mod response;

pub use connection::Connection;
pub use request::{Request, chunk, decrypt, encrypt, json, post};
pub use response::Response;
