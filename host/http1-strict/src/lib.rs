//! A strict reader of HTTP/1 messages, without I/O.
//!
//! A server that reads a message in another way than the proxy before it takes a part of one
//! client's request for the request of another (request smuggling). So only messages with a single
//! reading are accepted: each head and the framing of each body are checked against RFC 9112 and
//! RFC 9110, byte by byte, before an HTTP library parses them.
//!
//! - [`StrictReader`]: follows the bytes of a connection from message to message.
//! - `head`: the request line and the fields of a head, and the framing of its body.
//! - `target`: form and characters of a request target.
//! - `field`: a single field line.
//! - [`is_host`]: the syntax of `Host`; [`Host`]: the normal form of a host.
//! - [`Violation`]: the rule that a message breaks, with the status of its response.

#![forbid(unsafe_code)]

mod authority;
mod field;
mod head;
mod host;
mod reader;
mod target;
mod violation;

pub use authority::is_host;
pub use head::{BodyFraming, HIDDEN_UPGRADE, MessageLimits};
pub use host::{Host, HostError};
pub use reader::{Progress, StrictReader};
pub use target::RequestLine;
pub use violation::Violation;
