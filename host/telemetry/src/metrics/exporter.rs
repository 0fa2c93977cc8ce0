//! Export of all metrics as text.

use std::sync::Arc;
use std::{fmt, slice};

use audit_log::AuditLog;
use audit_log_forward::Forwarder;
use memory_limit::MemoryLimit;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::{Registry, Unit};

use super::format::{Format, to_prometheus};
use super::logs::LogCollector;
use super::pool::PoolUse;
use super::process::{ProcessCollector, as_f64};
use super::series::{Labels, Value, Writer};
use super::{ConnectionError, FailureKind, FunctionMetrics, Metrics, Reason};
use crate::access_log::AccessLog;
use crate::traces::Tracer;

/// The prefix of all metric names except those of the process.
const PREFIX: &str = "component_runner";

/// The sources of an [`Exporter`].
#[derive(Debug)]
pub struct Sources {
    /// The metrics of the server.
    pub metrics: Arc<Metrics>,
    /// The audit log.
    pub audit: AuditLog,
    /// The forwarder of audit records, if enabled.
    pub forwarder: Option<Arc<Forwarder>>,
    /// The access log, if enabled.
    pub access_log: Option<Arc<AccessLog>>,
    /// The tracer, if traces are exported.
    pub tracer: Option<Arc<Tracer>>,
}

/// Exports all metrics.
#[derive(Debug)]
pub struct Exporter {
    registry: Registry,
}

impl Exporter {
    /// An exporter that reads `sources` at each [scrape](Self::text).
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        let mut registry = Registry::default();
        // Process metrics have standard names without the prefix.
        registry.register_collector(Box::new(ProcessCollector::new()));
        let own = registry.sub_registry_with_prefix(PREFIX);
        own.register_collector(Box::new(ServerCollector(sources.metrics)));
        own.register_collector(Box::new(LogCollector {
            audit: sources.audit,
            forwarder: sources.forwarder,
            access_log: sources.access_log,
            tracer: sources.tracer,
        }));
        Self { registry }
    }

    /// The current value of all metrics.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        let mut text = String::new();
        // Writing into memory does not fail, and no value is too large for the format.
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("encoding failed, some metrics are missing from the response");
        }
        match format {
            Format::OpenMetrics => text,
            Format::Prometheus => to_prometheus(&text),
        }
    }
}

/// Collector of the metrics of server and functions.
#[derive(Debug)]
struct ServerCollector(Arc<Metrics>);

impl Collector for ServerCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer { encoder };
        let version = Value(env!("CARGO_PKG_VERSION"));
        writer.infos(
            "build",
            "Version of the program.",
            [vec![("version", version)]],
        )?;
        connections(&self.0, &mut writer)?;
        requests(&self.0.functions(), &mut writer)?;
        instances(&self.0, &mut writer)?;
        let memory = self.0.memory.get();
        memory.map_or(Ok(()), |memory| self::memory(memory, &mut writer))
    }
}

fn connections(metrics: &Metrics, writer: &mut Writer<'_>) -> fmt::Result {
    let connections = metrics.connections();
    writer.gauge("connections_open", "Open connections.", connections.open)?;
    writer.counter("connections", "Accepted connections.", connections.opened)?;
    writer.counters(
        "connection_errors",
        "Errors that ended or prevented a connection, by kind.",
        ConnectionError::ALL
            .map(|error| (vec![("kind", Value(error.label()))], metrics.errors(error))),
    )?;
    writer.counters(
        "refusals",
        "Rejected requests and connections, by reason.",
        Reason::ALL.map(|reason| {
            let labels = vec![("reason", Value(reason.label()))];
            (labels, metrics.rejections(reason))
        }),
    )
}

fn requests(functions: &[Arc<FunctionMetrics>], writer: &mut Writer<'_>) -> fmt::Result {
    writer.gauges(
        "requests_in_flight",
        "Requests in flight.",
        per_function(functions, FunctionMetrics::in_flight_now),
    )?;
    writer.gauges(
        "requests_queued",
        "Requests queued for an instance.",
        per_function(functions, FunctionMetrics::queued_now),
    )?;
    let responses: Vec<_> = functions.iter().map(|f| (f, f.response_counts())).collect();
    let series = responses.iter().flat_map(|(function, responses)| {
        responses.iter().map(|responses| {
            let mut labels = name(function);
            labels.push(("method", Value(responses.method)));
            labels.push(("code", Value(&responses.code)));
            (labels, responses.count)
        })
    });
    writer.counters(
        "requests",
        "Finished requests, by method and status code.",
        series,
    )?;
    writer.histograms(
        "request_duration",
        "Duration of requests, from the end of the head to the last byte of the response.",
        functions.iter().map(|f| (name(f), f.durations())),
    )?;
    let failures = functions.iter().flat_map(|function| {
        FailureKind::ALL.map(|kind| {
            let mut labels = name(function);
            labels.push(("kind", Value(kind.label())));
            (labels, function.failures(kind))
        })
    });
    writer.counters("guest_failures", "Guest failures, by kind.", failures)?;
    writer.counters(
        "instances_not_reused",
        "Instances not reused under --reuse because the guest kept a request or response handle.",
        per_function(functions, FunctionMetrics::not_reused_count),
    )
}

fn memory(memory: &MemoryLimit, writer: &mut Writer<'_>) -> fmt::Result {
    for (name, help, bytes) in [
        (
            "memory_limit",
            "Memory limit of the process.",
            memory.limit_bytes(),
        ),
        (
            "memory_held",
            "Memory of the process without file pages; shared pages count once.",
            memory.used_bytes(),
        ),
        (
            "guest_memory_limit",
            "Current memory limit of all guests together.",
            memory.guest_limit_bytes(),
        ),
        (
            "guest_memory_held",
            "Memory of all guests, written to or not.",
            memory.held_bytes(),
        ),
    ] {
        writer.gauge_with_unit(name, help, &Unit::Bytes, as_f64(bytes))?;
    }
    writer.counter(
        "guest_memory_refusals",
        "Denied growths of guest memories and tables, because of the memory limit.",
        memory.denied_growths(),
    )
}

fn instances(metrics: &Metrics, writer: &mut Writer<'_>) -> fmt::Result {
    let functions = metrics.functions();
    let active: Vec<_> = functions.iter().map(|f| (f, f.active())).collect();
    let infos = active.iter().map(|(function, active)| {
        let mut labels = name(function);
        labels.push(("name", Value(function.name())));
        labels.push(("sha256", Value(&active.version.sha256)));
        labels.push(("wasi", Value(active.version.wasi)));
        labels
    });
    writer.infos("component", "Active component of each function.", infos)?;
    let max_instances = active.iter().map(|(function, active)| {
        let max_instances = u64::from(active.version.max_instances);
        (name(function), max_instances)
    });
    writer.gauges(
        "instances_max",
        "Maximum number of concurrent instances.",
        max_instances,
    )?;
    let own = active
        .iter()
        .filter(|(_, active)| !active.pools.is_empty())
        .map(|(function, active)| (name(function), &*active.pools));
    // A pool that all functions share has no label.
    let shared = metrics.pool.get();
    let shared = shared.map(|pool| (Vec::new(), slice::from_ref(pool)));
    let pools: Vec<_> = own.chain(shared).collect();
    let uses: Vec<_> = pools
        .iter()
        .map(|(labels, pools)| {
            let uses: Vec<_> = pools.iter().map(|pool| pool()).collect();
            (labels, uses)
        })
        .collect();
    let sums = |gauge: fn(&PoolUse) -> u64| {
        let series = uses.iter();
        let series = series.map(move |&(labels, ref uses)| {
            let sum: u64 = uses.iter().map(gauge).sum();
            (labels.clone(), sum)
        });
        series.collect::<Vec<_>>()
    };
    writer.gauges(
        "instances",
        "Live component instances.",
        sums(|pool| pool.component_instances),
    )?;
    writer.gauges(
        "pool_core_instances",
        "Live core module instances.",
        sums(|pool| pool.core_instances),
    )?;
    writer.gauges(
        "pool_memories",
        "Pool memories in use.",
        sums(|pool| pool.memories),
    )?;
    writer.gauges(
        "pool_tables",
        "Pool tables in use.",
        sums(|pool| pool.tables),
    )?;
    writer.gauges(
        "pool_stacks",
        "Pool stacks in use.",
        sums(|pool| pool.stacks),
    )
}

fn per_function<'f>(
    functions: &'f [Arc<FunctionMetrics>],
    value: impl Fn(&FunctionMetrics) -> u64 + 'f,
) -> impl Iterator<Item = (Labels<'f>, u64)> {
    functions.iter().map(move |f| (name(f), value(f)))
}

/// The label `function` of all series of a component.
fn name(function: &FunctionMetrics) -> Labels<'_> {
    vec![("function", Value(function.name()))]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use audit_log::{Location, Settings};
    use http::Method;

    use super::*;
    use crate::metrics::ActiveVersion;

    fn exporter(metrics: &Arc<Metrics>) -> Exporter {
        Exporter::new(Sources {
            metrics: metrics.clone(),
            audit: AuditLog::open(&Settings::new(Location::None)).unwrap(),
            forwarder: None,
            access_log: None,
            tracer: None,
        })
    }

    fn version() -> ActiveVersion {
        ActiveVersion {
            sha256: "00ff".to_owned(),
            wasi: "0.2",
            max_instances: 10,
        }
    }

    #[track_caller]
    fn assert_has(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }

    #[test]
    fn the_text_has_the_recorded_value_of_each_metric() {
        let metrics = Metrics::new();
        let exporter = exporter(&metrics);
        let function = metrics.add("app", version());
        let _open = metrics.open_connection();
        metrics.record_rejection(Reason::QueueFull);
        metrics.record_connection_error(ConnectionError::Tls);
        function.record_failure(FailureKind::Cpu);
        function.request_started();
        function.request_started();
        function.request_finished(&Method::GET, 200, Duration::from_millis(2));
        let text = exporter.text(Format::OpenMetrics);
        for line in [
            "component_runner_connections_open 1",
            "component_runner_connections_total 1",
            "component_runner_connection_errors_total{kind=\"tls\"} 1",
            "component_runner_refusals_total{reason=\"queue_full\"} 1",
            "component_runner_refusals_total{reason=\"memory\"} 0",
            "component_runner_guest_failures_total{function=\"app\",kind=\"cpu\"} 1",
            "component_runner_requests_in_flight{function=\"app\"} 1",
            "component_runner_requests_queued{function=\"app\"} 0",
            "component_runner_requests_total{function=\"app\",method=\"GET\",code=\"200\"} 1",
            "component_runner_request_duration_seconds_sum{function=\"app\"} 0.002",
            "component_runner_request_duration_seconds_count{function=\"app\"} 1",
            "component_runner_request_duration_seconds_bucket{le=\"0.001\",function=\"app\"} 0",
            "component_runner_request_duration_seconds_bucket{le=\"0.0025\",function=\"app\"} 1",
            "component_runner_request_duration_seconds_bucket{le=\"+Inf\",function=\"app\"} 1",
            "component_runner_instances_max{function=\"app\"} 10",
            "component_runner_component_info{function=\"app\",name=\"app\",sha256=\"00ff\",wasi=\"0.2\"} 1",
            concat!(
                "component_runner_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "component_runner_audit_records_total 0",
            "# TYPE component_runner_request_duration_seconds histogram",
            "# EOF",
        ] {
            assert_has(&text, line);
        }
    }

    #[test]
    fn several_functions_are_series_of_one_metric() {
        let metrics = Metrics::new();
        let exporter = exporter(&metrics);
        let _first = metrics.add("first", version());
        let _second = metrics.add("second", version());
        let text = exporter.text(Format::OpenMetrics);
        let types = text.matches("# TYPE component_runner_requests_queued gauge");
        assert_eq!(types.count(), 1);
        assert_has(
            &text,
            "component_runner_requests_queued{function=\"first\"} 0",
        );
        assert_has(
            &text,
            "component_runner_requests_queued{function=\"second\"} 0",
        );
    }

    #[test]
    fn a_function_name_is_escaped_in_its_label() {
        let metrics = Metrics::new();
        let exporter = exporter(&metrics);
        let _function = metrics.add("a\"b\\c\nd", version());
        assert_has(
            &exporter.text(Format::OpenMetrics),
            r#"component_runner_requests_queued{function="a\"b\\c\nd"} 0"#,
        );
    }
}
