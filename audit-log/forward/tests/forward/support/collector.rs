//! A receiver of OpenTelemetry logs.

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

/// What it answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// Everything is taken.
    Taken,
    /// All but so many are.
    Partly(i64),
    /// This status, and these values of `Retry-After` and of the body.
    Status(u16, Option<&'static str>, &'static str),
    /// The connection ends without one, when the request was read.
    Nothing,
}

/// What it got.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) at: Instant,
    pub(crate) content_type: String,
    pub(crate) path: String,
    pub(crate) request: ExportLogsServiceRequest,
}

pub(crate) struct Collector {
    pub(crate) port: u16,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Collector {
    /// Gives these answers, and then takes everything.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let got = Arc::new(Mutex::new(Vec::new()));
        let all = got.clone();
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (got, answers) = (got.clone(), answers.clone());
                let service = service_fn(move |request| {
                    let (got, answers) = (got.clone(), answers.clone());
                    async move {
                        let request = read(request).await;
                        got.lock().expect("no panic").push(request);
                        let answer = answers.lock().expect("no panic").pop_front();
                        respond(answer.unwrap_or(Answer::Taken))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { port, got: all }
    }

    pub(crate) fn target(&self) -> Target {
        let target = format!("otlp://127.0.0.1:{}", self.port);
        target.parse().expect("a target")
    }

    /// The requests, oldest first.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no panic").clone()
    }

    /// The bodies of all log records, in the order in which they came.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies_after(0)
    }

    /// Those that came after so many requests.
    pub(crate) fn bodies_after(&self, requests: usize) -> Vec<String> {
        let got = self.got();
        let logs = got[requests..].iter().flat_map(Got::logs);
        logs.map(|log| match &log.body.as_ref().expect("a body").value {
            Some(Value::StringValue(text)) => text.clone(),
            other => panic!("expected a text, found {other:?}"),
        })
        .collect()
    }
}

impl Got {
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

async fn read(request: Request<Incoming>) -> Got {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let content_type = head.headers.get("content-type").expect("a type");
    Got {
        at: Instant::now(),
        content_type: content_type.to_str().expect("text").to_owned(),
        path: head.uri.path().to_owned(),
        request: ExportLogsServiceRequest::decode(body).expect("a request"),
    }
}

fn respond(answer: Answer) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (status, wish, body) = match answer {
        Answer::Taken => (200, None, Bytes::new()),
        Answer::Partly(rejected_log_records) => {
            let answer = ExportLogsServiceResponse {
                partial_success: Some(ExportLogsPartialSuccess {
                    rejected_log_records,
                    error_message: "too old".to_owned(),
                }),
            };
            (200, None, answer.encode_to_vec().into())
        }
        Answer::Status(status, wish, body) => (status, wish, body.into()),
        Answer::Nothing => return Err(std::io::Error::other("as it was asked to")),
    };
    let mut response = Response::builder().status(status);
    if let Some(wish) = wish {
        response = response.header("retry-after", wish);
    }
    Ok(response.body(Full::new(body)).expect("a response"))
}
