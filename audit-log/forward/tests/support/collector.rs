//! An OpenTelemetry receiver.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use audit_log_forward::Target;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use tokio::net::TcpListener;

/// A reply of the receiver.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// All records are accepted.
    Accepted,
    /// This number of records is rejected.
    PartialSuccess(i64),
    /// This status, `Retry-After` and body.
    Status(u16, Option<&'static str>, &'static str),
    /// The connection is closed after the request was read.
    Close,
}

/// A received request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) content_type: String,
    pub(crate) path: String,
    pub(crate) request: ExportLogsServiceRequest,
}

pub(crate) struct Collector {
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    /// Sends these replies, and then accepts all records.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let all = received.clone();
        let replies = Arc::new(Mutex::new(replies.into_iter().collect::<VecDeque<_>>()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (received, replies) = (received.clone(), replies.clone());
                let service = service_fn(move |request| {
                    let (received, replies) = (received.clone(), replies.clone());
                    async move {
                        let request = read(request).await;
                        received.lock().expect("no panic").push(request);
                        let reply = replies.lock().expect("no panic").pop_front();
                        respond(reply.unwrap_or(Reply::Accepted))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            port,
            received: all,
        }
    }

    pub(crate) fn target(&self) -> Target {
        let target = format!("otlp://127.0.0.1:{}", self.port);
        target.parse().expect("a target")
    }

    /// The received requests, oldest first.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic").clone()
    }

    /// The bodies of all log records, in order of arrival.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies_after(0)
    }

    /// The bodies after the first `requests` requests.
    pub(crate) fn bodies_after(&self, requests: usize) -> Vec<String> {
        let received = self.received();
        let logs = received[requests..].iter().flat_map(Received::logs);
        logs.map(|log| match &log.body.as_ref().expect("a body").value {
            Some(Value::StringValue(text)) => text.clone(),
            other => panic!("expected a text, found {other:?}"),
        })
        .collect()
    }
}

impl Received {
    /// The log records.
    pub(crate) fn logs(&self) -> Vec<&LogRecord> {
        let resources = self.request.resource_logs.iter();
        let scopes = resources.flat_map(|resource| &resource.scope_logs);
        scopes.flat_map(|scope| &scope.log_records).collect()
    }
}

/// An attribute as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("expected a text or a number, found {other:?}"),
    }
}

async fn read(request: Request<Incoming>) -> Received {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let content_type = head.headers.get("content-type").expect("a type");
    Received {
        at: Instant::now(),
        content_type: content_type.to_str().expect("text").to_owned(),
        path: head.uri.path().to_owned(),
        request: ExportLogsServiceRequest::decode(body).expect("a request"),
    }
}

fn respond(reply: Reply) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (status, retry_after, body) = match reply {
        Reply::Accepted => (200, None, Bytes::new()),
        Reply::PartialSuccess(rejected_log_records) => {
            let reply = ExportLogsServiceResponse {
                partial_success: Some(ExportLogsPartialSuccess {
                    rejected_log_records,
                    error_message: "too old".to_owned(),
                }),
            };
            (200, None, reply.encode_to_vec().into())
        }
        Reply::Status(status, retry_after, body) => (status, retry_after, body.into()),
        Reply::Close => return Err(std::io::Error::other("closed as requested")),
    };
    let mut response = Response::builder().status(status);
    if let Some(retry_after) = retry_after {
        response = response.header("retry-after", retry_after);
    }
    Ok(response.body(Full::new(body)).expect("a response"))
}
