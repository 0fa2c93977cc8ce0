//! The connection to a receiver.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Receiver;
use crate::remote::{Address, Failure, with_sources};

/// How long connecting, or an answer, may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The most characters of an answer that are shown.
const MAX_SHOWN_CHARS: usize = 200;

/// A connection to a receiver, made anew where it was lost. It must be used within a
/// runtime of tokio.
#[derive(Debug)]
pub struct Client {
    address: Address,
    path: &'static str,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Log records: messages `ExportLogsServiceRequest`.
    Logs,
    /// Traces: messages `ExportTraceServiceRequest`.
    Traces,
}

/// What the receiver says of a batch.
#[derive(Debug)]
pub enum Answer {
    /// It has it, but for so many of its items.
    Taken {
        /// How many.
        rejected: u64,
        /// Why these, if there are any.
        why: String,
    },
    /// It will never take it.
    Refused(String),
    /// It may take it later.
    Later(Failure),
}

impl Client {
    /// Sends to `receiver`, from its first use on.
    #[must_use]
    pub fn new(receiver: &Receiver, kind: Kind) -> Self {
        Self {
            address: receiver.address.clone(),
            path: match kind {
                Kind::Logs => "/v1/logs",
                Kind::Traces => "/v1/traces",
            },
            connection: None,
        }
    }

    /// Connects, if there is no connection.
    ///
    /// # Errors
    ///
    /// Fails if nobody answers there within 10 seconds.
    pub async fn connect(&mut self) -> Result<(), Failure> {
        if let Some(connection) = &mut self.connection
            && connection.ready().await.is_ok()
        {
            return Ok(());
        }
        let address = self.address.to_string();
        let stream = timeout(TIMEOUT, TcpStream::connect(address)).await;
        let stream = stream.map_err(|_| Failure::new("cannot connect in time"))?;
        let stream = stream?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error is that of the request.
        tokio::spawn(connection);
        self.connection = Some(sender);
        Ok(())
    }

    /// Sends a batch, and waits for what the receiver says.
    ///
    /// # Errors
    ///
    /// Fails if the receiver cannot be reached, says nothing within 10 seconds, or is
    /// something else. Then it may have the batch or not.
    pub async fn post(&mut self, body: Bytes) -> Result<Answer, Failure> {
        let is_reused = self.connection.is_some();
        match self.try_post(body.clone()).await {
            // The receiver may close a connection when nothing was sent for a while.
            Err(_) if is_reused => {
                self.connection = None;
                self.try_post(body).await
            }
            result => result,
        }
    }

    async fn try_post(&mut self, body: Bytes) -> Result<Answer, Failure> {
        self.connect().await?;
        let lost = || Failure::new("the connection was lost");
        let connection = self.connection.as_mut().ok_or_else(lost)?;
        let request = Request::post(self.path)
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, "component-runner")
            .body(Full::new(body))?;
        let exchange = async {
            let response = connection.send_request(request).await?;
            read(response).await
        };
        let answer = timeout(TIMEOUT, exchange).await;
        answer.map_err(|_| Failure::new("no answer in time"))?
    }
}

/// Reads what the answer means, as OTLP defines it.
async fn read(response: Response<Incoming>) -> Result<Answer, Failure> {
    let status = response.status();
    let wish = response.headers().get(RETRY_AFTER);
    let wish = wish.and_then(|value| parse_wish(value.to_str().ok()?, Timestamp::now()));
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
    let body = body.await.map(http_body_util::Collected::to_bytes);
    let why = |body: &[u8]| match shown(body) {
        text if text.is_empty() => status.to_string(),
        text => format!("{status}: {text}"),
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Ok(Answer::Later(Failure {
            why: why(&body.unwrap_or_default()),
            wish,
        })),
        _ if status.is_success() => {
            // A body that is no answer refuses nothing.
            let body = body.map_err(|error| Failure::new(with_sources(error.as_ref())))?;
            // That to traces has the same fields.
            let answer = ExportLogsServiceResponse::decode(body).unwrap_or_default();
            let partial = answer.partial_success.unwrap_or_default();
            Ok(Answer::Taken {
                rejected: u64::try_from(partial.rejected_log_records).unwrap_or(0),
                why: shown(partial.error_message.as_bytes()),
            })
        }
        _ if status.is_client_error() || status.is_server_error() => {
            Ok(Answer::Refused(why(&body.unwrap_or_default())))
        }
        // Something else answers at this address.
        _ => Err(Failure::new(why(&body.unwrap_or_default()))),
    }
}

/// How long the receiver wants to be left alone: so many seconds, or until a date.
fn parse_wish(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Duration::try_from(date.duration_since(now)).ok()
}

/// The readable part of an answer. An error is a message in protobuf, in which the
/// text stands between other bytes.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.split(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
    let text = text.max_by_key(|part| part.len()).unwrap_or_default();
    text.trim().chars().take(MAX_SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_a_number_of_seconds_or_a_date() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("Wed, 31 Dec 2025 00:01:00 GMT", None),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(
                parse_wish(value, now),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn of_an_answer_the_text_is_shown() {
        assert_eq!(shown(b"\x08\x03\x12\x0ano such log"), "no such log");
        assert_eq!(shown(b"plain"), "plain");
        assert_eq!(shown(b""), "");
        assert_eq!(shown(&[b'x'; 1000]).len(), MAX_SHOWN_CHARS);
    }
}
