//! A server of hostile guests, and how it is.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Instant;

use crate::functions::Folder;
use crate::guests::assemble;
use crate::operators::Operators;
use crate::{DEADLINE, TestHost};

/// How many guests may be at work at once.
pub const MAX_CONCURRENCY: usize = 64;

/// Small limits, so that guests meet them soon.
const LIMITS: [(&str, &str); 11] = [
    ("--cpu-timeout", "0.05"),
    ("--write-timeout", "1"),
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

/// The numbers that are 0 where nobody asks for anything.
const GAUGES: [&str; 7] = [
    "requests_in_flight",
    "requests_queued",
    "instances",
    "pool_core_instances",
    "pool_memories",
    "pool_tables",
    "pool_stacks",
];

/// A server of two functions of the same component: the hostile guests are at
/// `/hostile/NAME`, and the good one is at [`GOOD`].
#[derive(Debug)]
pub struct Server {
    host: TestHost,
    operators: Operators,
    _functions: Folder,
}

/// Where the good guest is.
pub(super) const GOOD: &str = "/good/good";

impl Server {
    /// Starts one with small limits, where a request may take so many seconds.
    #[must_use]
    pub fn start(request_timeout: u32) -> Self {
        let functions = Folder::new();
        let component = assemble("hostile", |source| source);
        functions.put("hostile.wasm", &component);
        functions.put("good.wasm", &component);
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

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.host.address()
    }

    /// Waits until no request is at work, and everything that a pool has is back there.
    ///
    /// # Errors
    ///
    /// Returns the numbers that are still not 0 after a long time.
    pub fn wait_until_idle(&self) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let busy = self.gauges();
            if busy.is_empty() {
                return Ok(());
            }
            if start.elapsed() > DEADLINE {
                return Err(format!("not idle after {DEADLINE:?}: {busy:?}"));
            }
        }
    }

    /// The numbers that should be 0 and are not.
    fn gauges(&self) -> BTreeMap<&'static str, f64> {
        let metrics = self.operators.metrics();
        let value = |name| {
            let value = metrics.total(name);
            (
                name,
                value.unwrap_or_else(|| panic!("no `{name}` in {metrics:?}")),
            )
        };
        let all = GAUGES.into_iter().map(value);
        all.filter(|(_, value)| *value != 0.0).collect()
    }

    /// The memory of its process that no file backs, in bytes.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn anonymous_bytes(&self) -> u64 {
        self.host.anonymous_bytes()
    }

    /// Does `work`. Fails as soon as the server has more than `limit` bytes of such memory.
    #[cfg(target_os = "linux")]
    pub fn holds_at_most<T>(&self, limit: u64, work: impl FnOnce() -> T) -> T {
        self.host.holds_at_most(limit, work)
    }

    /// How much memory it has at the moment, in KiB, where the system tells.
    #[must_use]
    pub fn resident_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.host.process_id()));
        let status = status.ok()?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        resident.trim().strip_suffix(" kB")?.parse().ok()
    }
}
