//! Conversion of spans to OTLP, by OpenTelemetry's semantic conventions for HTTP servers.

use bytes::Bytes;
use http::Version;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{self as proto, ResourceSpans, ScopeSpans, span};
use prost::Message;
use rustix::system::uname;

use super::{RequestAttributes, Span};

/// The methods that the conventions define. All others are `_OTHER`.
const METHODS: [&str; 9] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

/// In `flags`: `HAS_IS_REMOTE` and `IS_REMOTE`, the parent is in another process.
const PARENT_IS_REMOTE: u32 = 0x300;

/// Converts spans to export requests.
pub(super) struct Converter {
    resource: Resource,
}

impl Converter {
    pub(super) fn new() -> Self {
        let mut id = [0; 16];
        // Without random numbers, all servers have the same instance id.
        let _ = getrandom::fill(&mut id);
        let attributes = vec![
            text("service.name", "component-runner"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", &const_hex::encode(id)),
            text("host.name", &uname().nodename().to_string_lossy()),
        ];
        Self {
            resource: Resource {
                attributes,
                ..Resource::default()
            },
        }
    }

    /// The encoded export request with `spans`.
    pub(super) fn request(&self, spans: &[Span]) -> Bytes {
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "component-runner".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    spans: spans.iter().map(convert).collect(),
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        request.encode_to_vec().into()
    }
}

fn convert(span: &Span) -> proto::Span {
    let request = &span.request;
    let method = &*request.method;
    let is_known = METHODS.contains(&method);
    let parent = span.context.parent;
    proto::Span {
        trace_id: span.context.trace_id.to_vec(),
        span_id: span.context.span_id.to_vec(),
        parent_span_id: parent.map_or_else(Vec::new, |parent| parent.parent_id.to_vec()),
        flags: parent.map_or(1, |parent| u32::from(parent.flags) | PARENT_IS_REMOTE),
        name: if is_known { method } else { "HTTP" }.to_owned(),
        kind: span::SpanKind::Server.into(),
        start_time_unix_nano: span.start_nanos(),
        end_time_unix_nano: span.end_nanos(),
        attributes: attributes(request, is_known),
        status: error(request).map(|_| proto::Status {
            code: StatusCode::Error.into(),
            ..proto::Status::default()
        }),
        ..proto::Span::default()
    }
}

/// The `error.type` of a request that failed on the server's side.
fn error(request: &RequestAttributes) -> Option<String> {
    match (request.failure, request.status) {
        (Some(failure), _) => Some(failure.to_owned()),
        (None, Some(status @ 500..)) => Some(status.to_string()),
        (None, _) => None,
    }
}

fn attributes(request: &RequestAttributes, is_known: bool) -> Vec<KeyValue> {
    let mut attributes = vec![
        text("url.path", &request.path),
        text("url.scheme", if request.is_tls { "https" } else { "http" }),
        text("http.request.id", &request.request_id),
        text("component.name", &request.component.name),
        text("component.sha256", &request.component.sha256),
    ];
    if is_known {
        attributes.push(text("http.request.method", &request.method));
    } else {
        attributes.push(text("http.request.method", "_OTHER"));
        attributes.push(text("http.request.method_original", &request.method));
    }
    let version = match request.version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        _ => None,
    };
    attributes.extend(version.map(|version| text("network.protocol.version", version)));
    if let Some(peer) = request.peer {
        attributes.push(text("network.peer.address", &peer.ip().to_string()));
        attributes.push(number("network.peer.port", peer.port().into()));
    }
    if let Some(agent) = &request.user_agent {
        attributes.push(text("user_agent.original", agent));
    }
    if let Some(status) = request.status {
        attributes.push(number("http.response.status_code", status.into()));
    }
    attributes.extend(error(request).map(|error| text("error.type", &error)));
    attributes
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, UNIX_EPOCH};

    use audit_log::record::Component;

    use super::super::SpanContext;
    use super::*;
    use crate::trace_parent::TraceParent;

    fn span() -> Span {
        Span {
            context: SpanContext {
                trace_id: [1; 16],
                span_id: [2; 8],
                parent: None,
            },
            end: UNIX_EPOCH + Duration::from_secs(100),
            duration: Duration::from_secs(1),
            request: RequestAttributes {
                component: Component {
                    name: "app".into(),
                    sha256: "00ff".into(),
                }
                .into(),
                request_id: "42".into(),
                method: "GET".into(),
                path: "/a".into(),
                is_tls: false,
                version: Version::HTTP_11,
                peer: Some(([192, 0, 2, 7], 1234).into()),
                user_agent: None,
                status: Some(200),
                failure: None,
            },
        }
    }

    fn attributes(span: &proto::Span) -> BTreeMap<&str, String> {
        let value = |value: &any_value::Value| match value {
            any_value::Value::StringValue(text) => text.clone(),
            any_value::Value::IntValue(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        let attributes = span.attributes.iter();
        attributes
            .map(|attribute| {
                let found = attribute.value.as_ref().unwrap().value.as_ref().unwrap();
                (attribute.key.as_str(), value(found))
            })
            .collect()
    }

    #[test]
    fn a_span_has_the_attributes_of_the_http_server_conventions() {
        let converted = convert(&span());
        assert_eq!(converted.name, "GET");
        assert_eq!(converted.kind, i32::from(span::SpanKind::Server));
        assert_eq!(converted.start_time_unix_nano, 99_000_000_000);
        assert_eq!(converted.end_time_unix_nano, 100_000_000_000);
        assert_eq!(converted.status, None);
        assert!(converted.parent_span_id.is_empty());
        let expected = BTreeMap::from(
            [
                ("component.name", "app"),
                ("component.sha256", "00ff"),
                ("http.request.id", "42"),
                ("http.request.method", "GET"),
                ("http.response.status_code", "200"),
                ("network.peer.address", "192.0.2.7"),
                ("network.peer.port", "1234"),
                ("network.protocol.version", "1.1"),
                ("url.path", "/a"),
                ("url.scheme", "http"),
            ]
            .map(|(key, value)| (key, value.to_owned())),
        );
        assert_eq!(attributes(&converted), expected);
    }

    #[test]
    fn a_span_with_traceparent_has_its_parent_id_and_remote_flags() {
        let mut span = span();
        span.context.parent = Some(TraceParent {
            trace_id: [1; 16],
            parent_id: [3; 8],
            flags: 1,
        });
        let converted = convert(&span);
        assert_eq!(converted.parent_span_id, [3; 8]);
        assert_eq!(converted.flags, 0x301);
    }

    #[test]
    fn only_5xx_and_guest_failures_set_error_type() {
        for (status, failure, expected) in [
            (Some(404), None, None),
            (None, None, None),
            (Some(503), None, Some("503")),
            (Some(500), Some("trap"), Some("trap")),
            (Some(200), Some("broken_response"), Some("broken_response")),
        ] {
            let mut span = span();
            span.request.status = status;
            span.request.failure = failure;
            let converted = convert(&span);
            let attributes = attributes(&converted);
            assert_eq!(attributes.get("error.type").map(String::as_str), expected);
            assert_eq!(converted.status.is_some(), expected.is_some());
        }
    }

    #[test]
    fn an_unknown_method_is_exported_as_other() {
        let mut span = span();
        span.request.method = "BREW".into();
        let converted = convert(&span);
        assert_eq!(converted.name, "HTTP");
        let attributes = attributes(&converted);
        assert_eq!(attributes["http.request.method"], "_OTHER");
        assert_eq!(attributes["http.request.method_original"], "BREW");
    }
}
