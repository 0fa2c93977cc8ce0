//! A server of hostile guests, and how it is.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Instant;

use crate::client::{Connection, Request};
use crate::guests::Guest;
use crate::{DEADLINE, TestHost};

/// Small limits, so that guests meet them soon.
const LIMITS: [(&str, &str); 13] = [
    ("--request-timeout", "1"),
    ("--cpu-timeout", "0.2"),
    ("--write-timeout", "1"),
    ("--max-memory", "32MiB"),
    ("--max-table-elements", "10000"),
    ("--max-hostcall-memory", "1MiB"),
    ("--max-handles", "1000"),
    ("--max-field-size", "32KiB"),
    ("--max-output", "4KiB"),
    ("--max-response-body", "1MiB"),
    ("--body-buffer", "16KiB"),
    ("--max-concurrency", "64"),
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

/// A server of hostile guests.
#[derive(Debug)]
pub struct Server {
    host: TestHost,
    operations: SocketAddr,
    _guest: Guest,
}

impl Server {
    /// Starts one with small limits.
    #[must_use]
    pub fn start() -> Self {
        let guest = Guest::assemble("hostile");
        let mut setup = TestHost::serve(guest.path()).flag("--ops-addr", "127.0.0.1:0");
        for (name, value) in LIMITS {
            setup = setup.flag(name, value);
        }
        let host = setup.start();
        let line = host.output().wait_for_entry(&["/metrics"]);
        Self {
            operations: address_in(&line),
            host,
            _guest: guest,
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
        let metrics = self.metrics();
        let value = |name| {
            let value = metrics.get(&format!("component_runner_{name}"));
            let value = value.unwrap_or_else(|| panic!("no `{name}` in {metrics:?}"));
            (name, *value)
        };
        let all = GAUGES.into_iter().map(value);
        all.filter(|(_, value)| *value != 0.0).collect()
    }

    /// The sum of all series of each metric.
    fn metrics(&self) -> BTreeMap<String, f64> {
        let mut connection = Connection::open(self.operations);
        let response = connection.exchange(&Request::new("GET", "/metrics"));
        let mut metrics = BTreeMap::new();
        for line in String::from_utf8_lossy(&response.body).lines() {
            let Some((series, value)) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))
            else {
                continue;
            };
            let name = series.split('{').next().unwrap_or_default();
            let value: f64 = value.parse().unwrap_or_default();
            *metrics.entry(name.to_owned()).or_default() += value;
        }
        metrics
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

/// The address in a line such as `metrics at http://127.0.0.1:9000/metrics`.
fn address_in(line: &str) -> SocketAddr {
    let line = line.lines().find(|line| line.contains("/metrics"));
    let address = line.and_then(|line| {
        let (_, rest) = line.split_once("http://")?;
        rest.split('/').next()?.parse().ok()
    });
    address.unwrap_or_else(|| panic!("no address in {line:?}"))
}
