//! An HTTP/1.1 client that other clients cannot replace: it sends incomplete, invalid and pipelined
//! requests unchanged, and shows incomplete responses.
//!
//! - [`Request`]: the bytes of a request.
//! - [`Connection`]: sends and receives on one connection.
//! - [`Response`]: a response, complete or not.

mod connection;
mod request;
mod response;

pub use connection::Connection;
pub use request::{Request, chunk, decrypt, encrypt, get, json, post};
pub use response::Response;
