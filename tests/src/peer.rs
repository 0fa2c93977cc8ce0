//! Another host of `wasi:http`, to compare with.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::artifacts;
use crate::client::{Connection, Request, Response};
use crate::process::Process;

/// A `wasmtime serve` that listens on a free port.
#[derive(Debug)]
pub struct Peer {
    _process: Process,
    address: SocketAddr,
}

impl Peer {
    /// Serves `component`, with further `flags`, and waits until it listens.
    pub fn serve(component: impl AsRef<Path>, flags: &[&str]) -> Self {
        const START: &str = "Serving HTTP on http://";

        let mut command = Command::new(artifacts::wasmtime());
        command
            .args(["serve", "--addr", "127.0.0.1:0"])
            .args(flags)
            .arg(component.as_ref());
        let process = Process::start(&mut command);
        let line = process.stderr.wait_for_entry(&[START]);
        let address = line.trim_start_matches(START).trim_end_matches('/').parse();
        Self {
            _process: process,
            address: address.unwrap_or_else(|_| panic!("no address in `{line}`")),
        }
    }

    /// Sends one request on a new connection.
    #[must_use]
    pub fn send(&self, request: &Request) -> Response {
        self.connect().exchange(request)
    }

    /// Connects.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }
}
