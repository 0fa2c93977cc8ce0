//! A server of hostile guests with small limits.

use std::fs;
use std::net::SocketAddr;

use crate::functions::Folder;
use crate::guests::assemble;
use crate::operators::Operators;
use crate::{TestHost, artifacts, process};

use super::Wasi;

/// Maximum number of guests that run at the same time.
pub const MAX_CONCURRENCY: usize = 64;

/// Limits that guests reach soon.
const LIMITS: [(&str, &str); 12] = [
    ("--cpu-timeout", "0.05"),
    ("--write-timeout", "1"),
    ("--post-return-timeout", "1"),
    ("--max-memory", "32MiB"),
    ("--max-table-elements", "10000"),
    ("--max-hostcall-memory", "1MiB"),
    ("--max-handles", "1000"),
    ("--max-field-size", "32KiB"),
    ("--max-output", "4KiB"),
    ("--max-response-body", "1MiB"),
    ("--body-buffer", "16KiB"),
    ("--audit", "none"),
];

/// A server of two functions of the same component for each version of WASI: the hostile guests, and
/// the well-behaved one.
#[derive(Debug)]
pub struct Server {
    host: TestHost,
    operators: Operators,
    _functions: Folder,
}

impl Server {
    /// Starts a server with this request timeout, in seconds.
    #[must_use]
    pub fn start(request_timeout: u32) -> Self {
        let functions = Folder::new();
        put_guests(&functions);
        let setup = TestHost::serve_functions(functions.path());
        let mut setup = setup.flag("--ops-addr", "127.0.0.1:0");
        for (name, value) in LIMITS {
            setup = setup.flag(name, value);
        }
        let host = setup
            .flag("--request-timeout", request_timeout.to_string())
            .flag("--response-idle-timeout", request_timeout.to_string())
            .flag("--max-concurrency", MAX_CONCURRENCY.to_string())
            .start();
        Self {
            operators: Operators::of(&host),
            host,
            _functions: functions,
        }
    }

    /// The server itself.
    #[must_use]
    pub fn host(&self) -> &TestHost {
        &self.host
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.host.address()
    }

    /// Waits until no request runs or waits, and the pool has everything back.
    ///
    /// # Errors
    ///
    /// Returns the gauges that are still not 0 at the deadline.
    pub fn wait_until_idle(&self) -> Result<(), String> {
        self.operators.wait_until_idle()
    }

    /// Resident memory in KiB, where the system reports it.
    #[must_use]
    pub fn resident_kib(&self) -> Option<u64> {
        let bytes = process::memory_bytes(self.host.process_id(), "VmRSS")?;
        Some(bytes / 1024)
    }
}

/// Writes the functions of the hostile and of the well-behaved guests.
pub(in crate::stress) fn put_guests(functions: &Folder) {
    for wasi in Wasi::ALL {
        let component = component(wasi);
        functions.put(&format!("{}.wasm", wasi.hostile()), &component);
        functions.put(&format!("{}.wasm", wasi.good()), &component);
    }
}

/// The component with the hostile guests.
fn component(wasi: Wasi) -> Vec<u8> {
    match wasi {
        Wasi::V02 => assemble("hostile", |source| source),
        Wasi::V03 => fs::read(artifacts::test_guest("hostile-03")).expect("a component"),
    }
}
