//! The listener for operators: health, metrics and the admin interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::client::{Connection, Request, Response};
use crate::{TestHost, wait};

/// A token for the admin interface.
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Gauges that are 0 on an idle server.
const IDLE_GAUGES: [&str; 7] = [
    "requests_in_flight",
    "requests_queued",
    "instances",
    "pool_core_instances",
    "pool_memories",
    "pool_tables",
    "pool_stacks",
];

/// The operator listener of a server with `--ops-addr 127.0.0.1:0`.
#[derive(Debug, Clone, Copy)]
pub struct Operators {
    address: SocketAddr,
}

/// The response of `/metrics`, checked against the rules of `OpenMetrics` 1.0.
#[derive(Debug)]
pub struct Metrics {
    text: String,
    /// Value of each series, by its name and labels as written.
    series: BTreeMap<String, f64>,
}

impl Operators {
    /// The listener of `host`.
    #[must_use]
    pub fn of(host: &TestHost) -> Self {
        const START: &str = "metrics at http://";

        let text = host.output().wait_for_entry(&[START]);
        let line = text.lines().find_map(|line| line.strip_prefix(START));
        let address = line.and_then(|line| line.strip_suffix("/metrics"));
        let address = address.expect("an address").parse();
        Self {
            address: address.expect("an address"),
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request on a connection of its own.
    #[must_use]
    pub fn send(&self, request: &Request) -> Response {
        Connection::open(self.address).exchange(request)
    }

    /// Sends a GET.
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        self.send(&Request::new("GET", path))
    }

    /// All metrics.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let accept = "application/openmetrics-text; version=1.0.0, text/plain; q=0.5";
        let response = self.send(&Request::new("GET", "/metrics").header("accept", accept));
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(
            response.header("content-type"),
            Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        let text = String::from_utf8(response.body).expect("text");
        Metrics::parse(text).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Waits until `/readyz` answers with 200 and this text.
    pub fn wait_until_ready(&self, text: &str) {
        wait::until("a server that is ready", || {
            let ready = self.get("/readyz");
            if (ready.status, &*ready.text()) == (200, text) {
                return Ok(());
            }
            Err(format!("{ready:?}"))
        });
    }

    /// Waits until all these series have these values.
    pub fn wait_for(&self, series: &[(&str, f64)]) {
        wait::until(format_args!("{series:?}"), || {
            let metrics = self.metrics();
            let found = |(name, value): &(&str, f64)| metrics.get(name) == Some(*value);
            if series.iter().all(found) {
                Ok(())
            } else {
                Err(metrics.text)
            }
        });
    }

    /// Waits until the server has no request and no instance.
    ///
    /// # Errors
    ///
    /// Returns the gauges that are not 0 at the deadline.
    pub fn wait_until_idle(&self) -> Result<(), String> {
        self.wait_until_zero(&IDLE_GAUGES)
    }

    /// Waits until these gauges, summed over all functions, are 0.
    ///
    /// # Errors
    ///
    /// Returns the gauges that are not 0 at the deadline.
    pub fn wait_until_zero(&self, gauges: &[&str]) -> Result<(), String> {
        wait::try_until("an idle server", || {
            let metrics = self.metrics();
            let values = gauges.iter().map(|gauge| (gauge, metrics.total(gauge)));
            let busy: Vec<_> = values.filter(|(_, value)| *value != Some(0.0)).collect();
            if busy.is_empty() {
                Ok(())
            } else {
                Err(format!("{busy:?}"))
            }
        })
    }
}

impl Metrics {
    /// Value of a series of the server, such as
    /// `requests_total{function="app",method="GET",code="200"}`.
    #[must_use]
    pub fn get(&self, series: &str) -> Option<f64> {
        let name = format!("component_runner_{series}");
        self.series.get(&name).copied()
    }

    /// Sum of all series of a metric of the server, such as those of all functions.
    #[must_use]
    pub fn total(&self, metric: &str) -> Option<f64> {
        let name = format!("component_runner_{metric}");
        let of_it = |series: &str| series.split('{').next() == Some(&name);
        let series = self.series.iter().filter(|(series, _)| of_it(series));
        series
            .map(|(_, value)| *value)
            .reduce(|sum, value| sum + value)
    }

    /// Value of a series that all programs have, such as `process_open_fds`.
    #[must_use]
    pub fn get_common(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// The whole response.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Parses the text: the description of a metric precedes its series, which are unique and
    /// adjacent, the suffix of a name fits its type, and the end is marked.
    fn parse(text: String) -> Result<Self, String> {
        let mut described = BTreeSet::new();
        let mut metric = String::new();
        let mut kind = String::new();
        let mut series = BTreeMap::new();
        let mut has_ended = false;
        for line in text.lines() {
            let fail = |why: &str| Err(format!("{why}: {line}\n{text}"));
            if has_ended {
                return fail("text after the end");
            }
            let words: Vec<_> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "EOF"] => has_ended = true,
                ["#", "HELP", name, help] => {
                    if !described.insert(name.to_owned()) {
                        return fail("duplicate metric");
                    }
                    if !help.ends_with('.') {
                        return fail("help text without a full stop");
                    }
                    name.clone_into(&mut metric);
                    kind.clear();
                }
                ["#", "TYPE", name, found] if name == metric => found.clone_into(&mut kind),
                ["#", "UNIT", name, unit] if name == metric && name.ends_with(unit) => {}
                ["#", ..] => return fail("description of another metric"),
                _ => {
                    let (name, value) = line.rsplit_once(' ').ok_or("no value")?;
                    let value: f64 = value.parse().map_err(|_| format!("not a number: {line}"))?;
                    let base = name.split('{').next().unwrap_or_default();
                    let suffix = base.strip_prefix(&metric);
                    let fits = match kind.as_str() {
                        "counter" => suffix == Some("_total"),
                        "gauge" => suffix == Some(""),
                        "info" => suffix == Some("_info"),
                        "histogram" => {
                            matches!(suffix, Some("_sum" | "_count" | "_bucket"))
                        }
                        _ => false,
                    };
                    if !fits {
                        return fail("the name does not fit the metric before it");
                    }
                    if series.insert(name.to_owned(), value).is_some() {
                        return fail("duplicate series");
                    }
                }
            }
        }
        if !has_ended || !text.ends_with("# EOF\n") {
            return Err(format!("the end is missing:\n{text}"));
        }
        Ok(Self { text, series })
    }
}
