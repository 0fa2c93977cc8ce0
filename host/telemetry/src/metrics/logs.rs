//! What the audit log, the access log and the traces know of themselves.

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

/// All that is written about requests.
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
            "Lines that are not in the server's log because standard error was not read as fast.",
            server_log::dropped(),
        )?;
        audited(&self.audit, &mut writer)?;
        if let Some(forwarder) = &self.forwarder {
            forwarded(forwarder, &mut writer)?;
        }
        if let Some(log) = &self.access_log {
            logged(log, &mut writer)?;
        }
        if let Some(tracer) = &self.tracer {
            traced(tracer, &mut writer)?;
        }
        Ok(())
    }
}

fn audited(audit: &AuditLog, writer: &mut Writer<'_>) -> fmt::Result {
    let metrics = audit.metrics();
    writer.counter(
        "audit_records",
        "LogCollector that are in the audit log.",
        metrics.appended,
    )?;
    writer.counter(
        "audit_refused",
        "LogCollector that the audit log refused because it could not be written.",
        metrics.refused,
    )?;
    writer.counter(
        "audit_dropped",
        "LogCollector that were dropped under the policy best-effort.",
        metrics.dropped,
    )?;
    writer.gauge(
        "audit_waiting",
        "LogCollector that wait to be written.",
        metrics.waiting as u64,
    )?;
    writer.gauge(
        "audit_failing",
        "1 while the audit log cannot be written.",
        metrics.is_failing.into(),
    )
}

fn forwarded(forwarder: &Forwarder, writer: &mut Writer<'_>) -> fmt::Result {
    let metrics = forwarder.metrics();
    writer.counter(
        "audit_forwarded",
        "LogCollector whose arrival elsewhere was confirmed.",
        metrics.forwarded,
    )?;
    writer.counter(
        "audit_forward_rejected",
        "LogCollector that the other side does not take.",
        metrics.rejected,
    )?;
    writer.counter(
        "audit_forward_missing",
        "LogCollector that were pruned before they were forwarded.",
        metrics.missing,
    )?;
    writer.gauge(
        "audit_forward_lag",
        "LogCollector whose arrival elsewhere is not confirmed.",
        metrics.lag,
    )?;
    writer.counter(
        "audit_forward_failures",
        "How often the connection was lost or could not be made.",
        metrics.failures,
    )?;
    writer.gauge(
        "audit_forward_failing",
        "1 while records cannot be forwarded.",
        metrics.is_failing.into(),
    )
}

fn logged(log: &AccessLog, writer: &mut Writer<'_>) -> fmt::Result {
    writer.counter(
        "access_log_dropped",
        "Requests that are not in the access log because it could not be written as fast.",
        log.dropped(),
    )
}

fn traced(tracer: &Tracer, writer: &mut Writer<'_>) -> fmt::Result {
    let metrics = tracer.metrics();
    writer.counter(
        "trace_spans_sent",
        "Spans whose arrival was confirmed.",
        metrics.sent,
    )?;
    writer.counter(
        "trace_spans_rejected",
        "Spans that the receiver does not take.",
        metrics.rejected,
    )?;
    writer.counter(
        "trace_spans_dropped",
        "Spans that were dropped because the receiver did not take them as fast.",
        metrics.dropped,
    )?;
    writer.gauge(
        "trace_failing",
        "1 while the receiver of the traces cannot be reached.",
        metrics.is_failing.into(),
    )
}
