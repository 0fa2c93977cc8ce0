//! Metrics of the server log, the audit log, the access log and the traces.

use std::fmt;
use std::sync::Arc;

use audit_log::AuditLog;
use audit_log_forward::Forwarder;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::series::Writer;
use crate::access_log::AccessLog;
use crate::server_log;
use crate::traces::Tracer;

/// Collector of the metrics of all logs and of the traces.
#[derive(Debug)]
pub(super) struct LogCollector {
    pub(super) audit: AuditLog,
    pub(super) forwarder: Option<Arc<Forwarder>>,
    pub(super) access_log: Option<Arc<AccessLog>>,
    pub(super) tracer: Option<Arc<Tracer>>,
}

impl Collector for LogCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer { encoder };
        writer.counter(
            "log_dropped",
            "Server log lines dropped because standard error was not read fast enough.",
            server_log::dropped(),
        )?;
        encode_audit_log(&self.audit, &mut writer)?;
        if let Some(forwarder) = &self.forwarder {
            encode_forwarder(forwarder, &mut writer)?;
        }
        if let Some(log) = &self.access_log {
            encode_access_log(log, &mut writer)?;
        }
        if let Some(tracer) = &self.tracer {
            encode_tracer(tracer, &mut writer)?;
        }
        Ok(())
    }
}

fn encode_audit_log(audit: &AuditLog, writer: &mut Writer<'_>) -> fmt::Result {
    let metrics = audit.metrics();
    writer.counter(
        "audit_records",
        "Records appended to the audit log.",
        metrics.appended,
    )?;
    writer.counter(
        "audit_refused",
        "Records rejected because the audit log could not be written.",
        metrics.refused,
    )?;
    writer.counter(
        "audit_dropped",
        "Records dropped under the policy best-effort.",
        metrics.dropped,
    )?;
    writer.gauge(
        "audit_waiting",
        "Records queued for the audit log.",
        metrics.waiting as u64,
    )?;
    writer.gauge(
        "audit_failing",
        "1 while the audit log cannot be written.",
        metrics.is_failing.into(),
    )
}

fn encode_forwarder(forwarder: &Forwarder, writer: &mut Writer<'_>) -> fmt::Result {
    let metrics = forwarder.metrics();
    writer.counter(
        "audit_forwarded",
        "Records that the forwarding destination confirmed.",
        metrics.forwarded,
    )?;
    writer.counter(
        "audit_forward_rejected",
        "Records that the forwarding destination rejected.",
        metrics.rejected,
    )?;
    writer.counter(
        "audit_forward_missing",
        "Records pruned before they were forwarded.",
        metrics.missing,
    )?;
    writer.gauge(
        "audit_forward_lag",
        "Records that the forwarding destination has not confirmed yet.",
        metrics.lag,
    )?;
    writer.counter(
        "audit_forward_failures",
        "Lost connections and failed connection attempts to the forwarding destination.",
        metrics.failures,
    )?;
    writer.gauge(
        "audit_forward_failing",
        "1 while records cannot be forwarded.",
        metrics.is_failing.into(),
    )
}

fn encode_access_log(log: &AccessLog, writer: &mut Writer<'_>) -> fmt::Result {
    writer.counter(
        "access_log_dropped",
        "Access log lines dropped because the log could not be written, or not fast enough.",
        log.dropped(),
    )
}

fn encode_tracer(tracer: &Tracer, writer: &mut Writer<'_>) -> fmt::Result {
    let metrics = tracer.metrics();
    writer.counter(
        "trace_spans_sent",
        "Spans that the receiver accepted.",
        metrics.sent,
    )?;
    writer.counter(
        "trace_spans_rejected",
        "Spans that the receiver rejected.",
        metrics.rejected,
    )?;
    writer.counter(
        "trace_spans_dropped",
        "Spans dropped because the receiver was unreachable or too slow.",
        metrics.dropped,
    )?;
    writer.gauge(
        "trace_failing",
        "1 while traces cannot be exported.",
        metrics.is_failing.into(),
    )
}
