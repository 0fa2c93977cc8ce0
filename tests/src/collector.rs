//! A receiver of OpenTelemetry traces.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::DEADLINE;

/// Receives spans until the process ends.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    spans: Receiver<Received>,
}

/// A span, and the attributes of its resource.
#[derive(Debug)]
pub struct Received {
    /// The span.
    pub span: Span,
    /// The attributes of the resource.
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    /// Listens on a free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, spans) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                thread::spawn(move || serve(stream.expect("a connection"), &sender));
            }
        });
        Self { address, spans }
    }

    /// The value of `--otlp`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("otlp://{}", self.address)
    }

    /// Waits for the next span.
    #[must_use]
    pub fn next(&self) -> Received {
        self.spans.recv_timeout(DEADLINE).expect("a span")
    }

    /// All spans received so far that were not returned yet.
    #[must_use]
    pub fn rest(&self) -> Vec<Received> {
        self.spans.try_iter().collect()
    }
}

impl Received {
    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, String> {
        texts(&self.span.attributes)
    }
}

/// Receives all requests on a connection.
fn serve(stream: TcpStream, spans: &Sender<Received>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream) {
        for resource_spans in request.resource_spans {
            let resource = resource_spans.resource.unwrap_or_default();
            let scopes = resource_spans.scope_spans.into_iter();
            for span in scopes.flat_map(|scope| scope.spans) {
                let resource = texts(&resource.attributes);
                // It fails if the test is over.
                let _ = spans.send(Received { span, resource });
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if stream.get_mut().write_all(answer).is_err() {
            break;
        }
    }
}

/// The next request; none at the end of the connection.
fn receive(stream: &mut BufReader<TcpStream>) -> Option<ExportTraceServiceRequest> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        // The server may have ended.
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_ascii_lowercase()),
        }
    }
    assert_eq!(head[0], "post /v1/traces http/1.1");
    assert!(
        head.contains(&"content-type: application/x-protobuf".to_owned()),
        "{head:?}"
    );
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect("a length").parse().expect("a number");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(ExportTraceServiceRequest::decode(body.as_slice()).expect("a request"))
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = attribute
            .value
            .as_ref()
            .and_then(|value| value.value.as_ref());
        let value = match value {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            other => panic!("expected a text or a number, found {other:?}"),
        };
        (attribute.key.clone(), value)
    };
    attributes.iter().map(text).collect()
}
