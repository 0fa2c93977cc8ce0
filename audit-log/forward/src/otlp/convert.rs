//! Mapping of audit records to OpenTelemetry log records.

use std::borrow::Cow;

use audit_log::record::{Entry, Host, Outcome};
use bytes::Bytes;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use rustix::system::uname;
use serde::Deserialize;

use crate::outbox::OutboxRecord;

/// A converter of records to export requests.
pub(super) struct Converter {
    node: String,
    /// The host name of the machine.
    machine: String,
}

/// The parts of a record that become attributes.
#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow)]
    host: Host<'a>,
    #[serde(borrow)]
    guest: Option<Entry<'a>>,
    #[serde(borrow)]
    event: Option<Kind<'a>>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
}

impl Converter {
    pub(super) fn new(node: String) -> Self {
        Self {
            node,
            machine: uname().nodename().to_string_lossy().into_owned(),
        }
    }

    /// The export request of `records`.
    pub(super) fn request(&self, records: &[OutboxRecord]) -> Bytes {
        let now = nanoseconds(Timestamp::now());
        let mut request = ExportLogsServiceRequest::default();
        // Each boot is a resource.
        let mut boot = None;
        for record in records {
            let view = serde_json::from_slice::<View<'_>>(&record.bytes).ok();
            let found = view.as_ref().map_or("", |view| &view.host.boot);
            if boot.as_deref() != Some(found) {
                boot = Some(found.to_owned());
                request.resource_logs.push(self.resource(found));
            }
            let logs = request.resource_logs.last_mut();
            if let Some(scope) = logs.and_then(|logs| logs.scope_logs.last_mut()) {
                let record = self.record(record, view.as_ref(), now);
                scope.log_records.push(record);
            }
        }
        request.encode_to_vec().into()
    }

    /// The resource of a boot, without records.
    fn resource(&self, boot: &str) -> ResourceLogs {
        let mut attributes = vec![
            text("service.name", "component-runner"),
            text("host.name", &self.machine),
        ];
        if !boot.is_empty() {
            attributes.push(text("service.instance.id", boot));
        }
        ResourceLogs {
            resource: Some(Resource {
                attributes,
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                scope: Some(InstrumentationScope {
                    name: "audit-log".to_owned(),
                    ..InstrumentationScope::default()
                }),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }
    }

    fn record(&self, record: &OutboxRecord, view: Option<&View<'_>>, now: u64) -> LogRecord {
        let mut attributes = vec![
            text("audit.node", &self.node),
            KeyValue {
                key: "audit.sequence".to_owned(),
                value: Some(AnyValue {
                    value: Some(any_value::Value::IntValue(record.sequence.cast_signed())),
                }),
                ..KeyValue::default()
            },
        ];
        let mut log = LogRecord {
            observed_time_unix_nano: now,
            severity_number: SeverityNumber::Info.into(),
            body: Some(string(&String::from_utf8_lossy(&record.bytes))),
            ..LogRecord::default()
        };
        match view {
            Some(view) => view.add_to(&mut log, &mut attributes),
            // A damaged record, whose text is exported unchanged.
            None => log.severity_number = SeverityNumber::Warn.into(),
        }
        log.severity_text = match log.severity_number {
            number if number == i32::from(SeverityNumber::Warn) => "WARN".to_owned(),
            _ => "INFO".to_owned(),
        };
        log.attributes = attributes;
        log
    }
}

impl View<'_> {
    fn add_to(&self, log: &mut LogRecord, attributes: &mut Vec<KeyValue>) {
        let host = &self.host;
        if let Ok(time) = host.time.parse() {
            log.time_unix_nano = nanoseconds(time);
        }
        let mut add = |key, value: Option<&Cow<'_, str>>| {
            if let Some(value) = value {
                attributes.push(text(key, value));
            }
        };
        if let Some(component) = &host.component {
            add("audit.component.name", Some(&component.name));
            add("audit.component.sha256", Some(&component.sha256));
        }
        if let Some(request) = &host.request {
            add("http.request.id", Some(&request.id));
            add("http.request.method", Some(&request.method));
            add("url.path", Some(&request.path));
            add("network.peer.address", request.peer.as_ref());
            add("user.id", request.principal.as_ref());
            if let Some(Ok(id)) = request
                .trace_id
                .as_deref()
                .map(const_hex::decode_to_array::<_, 16>)
            {
                log.trace_id = id.to_vec();
            }
        }
        let mut is_warning = false;
        log.event_name = if let Some(entry) = &self.guest {
            is_warning = entry.outcome != Outcome::Success;
            add("audit.action", Some(&entry.action));
            add("audit.outcome", Some(&entry.outcome.name().into()));
            add("audit.resource", entry.resource.as_ref());
            "audit.entry".to_owned()
        } else if let Some(event) = &self.event {
            let quiet = [
                "server-start",
                "server-stop",
                "component-load",
                "component-removed",
                "function-paused",
                "function-resumed",
            ];
            is_warning = !quiet.contains(&event.name.as_ref());
            format!("audit.{}", event.name)
        } else {
            "audit.checkpoint".to_owned()
        };
        if is_warning {
            log.severity_number = SeverityNumber::Warn.into();
        }
    }
}

fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}

fn string(text: &str) -> AnyValue {
    AnyValue {
        value: Some(any_value::Value::StringValue(text.to_owned())),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(string(value)),
        ..KeyValue::default()
    }
}
