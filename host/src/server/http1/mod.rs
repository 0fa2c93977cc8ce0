//! HTTP/1.1, looked at before hyper sees it.
//!
//! A server that reads a message in another way than the proxy before it takes a part of
//! one client's request for the request of another (request smuggling). So nothing that
//! can be read in two ways gets in: every head and the framing of every body are checked
//! against RFC 9112 and RFC 9110, byte by byte, before hyper parses them.
//!
//! - `head.rs`: whether a head is what it should be, and how its body is framed.
//! - `target.rs`: the form and the characters of a target.
//! - `field.rs`: the same for one field.
//! - `framing.rs`: where one message ends and the next one begins.
//! - `gate.rs`: the stream between the socket and hyper, which lets through what is good.
//! - `half_closed.rs`: a client that has shut down its sending side.
//! - `linger.rs`: how a connection ends, so that its client sees the last response.

mod field;
mod framing;
mod gate;
mod half_closed;
mod head;
mod linger;
mod target;

pub(super) use gate::{Gate, Scratch};
pub(super) use head::{HIDDEN_UPGRADE, MessageLimits};
