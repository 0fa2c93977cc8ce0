//! Listeners and sockets.
//!
//! - `listener.rs`: addresses and the sockets that listen on them.
//! - `socket.rs`: the socket of one connection: TCP, TLS or Unix.
//! - `connections.rs`: the limit of open connections.
//! - `tls.rs`: certificate and private key, from their files.

pub(crate) mod connections;
pub(crate) mod listener;
pub(crate) mod socket;
pub mod tls;
