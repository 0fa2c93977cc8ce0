//! The connection to an OpenTelemetry receiver.

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
use sanitize::error_chain;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Receiver;
use crate::connection::{Address, Failure};

/// Timeout of connecting, and of a response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum bytes of a response body.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The maximum characters of a response in an error message.
const MAX_MESSAGE_CHARS: usize = 200;

/// A connection to a receiver, re-established after a loss. Requires a tokio runtime.
#[derive(Debug)]
pub struct Client {
    address: Address,
    path: &'static str,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// The signal that is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Logs: messages `ExportLogsServiceRequest`.
    Logs,
    /// Traces: messages `ExportTraceServiceRequest`.
    Traces,
}

/// The receiver's response to a batch.
#[derive(Debug)]
pub enum ExportResult {
    /// The receiver accepted the batch, except for some items.
    Accepted {
        /// The number of rejected items.
        rejected: u64,
        /// The reason for rejecting them.
        reason: String,
    },
    /// The receiver rejected the batch for good, for this reason.
    Rejected(String),
    /// The receiver asks for a retry.
    Retry(Failure),
}

impl Client {
    /// Creates a client for `receiver`, which connects at its first use.
    #[must_use]
    pub fn new(receiver: &Receiver, signal: Signal) -> Self {
        Self {
            address: receiver.address.clone(),
            path: match signal {
                Signal::Logs => "/v1/logs",
                Signal::Traces => "/v1/traces",
            },
            connection: None,
        }
    }

    /// Connects, unless a connection is open.
    ///
    /// # Errors
    ///
    /// Fails if the receiver does not accept a connection within 10 seconds.
    pub async fn connect(&mut self) -> Result<(), Failure> {
        if let Some(connection) = &mut self.connection
            && connection.ready().await.is_ok()
        {
            return Ok(());
        }
        let address = self.address.to_string();
        let stream = timeout(TIMEOUT, TcpStream::connect(address)).await;
        let stream = stream.map_err(|_| Failure::new("connection timeout"))?;
        let stream = stream?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error is also that of the request.
        tokio::spawn(connection);
        self.connection = Some(sender);
        Ok(())
    }

    /// Sends a batch, and waits for the response.
    ///
    /// # Errors
    ///
    /// Fails if the receiver cannot be reached, does not respond within 10 seconds, or is not an
    /// OpenTelemetry receiver. Then it may have the batch or not.
    pub async fn post(&mut self, body: Bytes) -> Result<ExportResult, Failure> {
        let is_reused = self.connection.is_some();
        match self.try_post(body.clone()).await {
            // The receiver may close an idle connection.
            Err(_) if is_reused => {
                self.connection = None;
                self.try_post(body).await
            }
            result => result,
        }
    }

    async fn try_post(&mut self, body: Bytes) -> Result<ExportResult, Failure> {
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
        let result = timeout(TIMEOUT, exchange).await;
        result.map_err(|_| Failure::new("response timeout"))?
    }
}

/// Interprets a response as OTLP defines it.
async fn read(response: Response<Incoming>) -> Result<ExportResult, Failure> {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after =
        retry_after.and_then(|value| parse_retry_after(value.to_str().ok()?, Timestamp::now()));
    let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES).collect();
    let body = body.await.map(http_body_util::Collected::to_bytes);
    let reason = |body: &[u8]| match readable(body) {
        text if text.is_empty() => status.to_string(),
        text => format!("{status}: {text}"),
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Ok(ExportResult::Retry(Failure {
            reason: reason(&body.unwrap_or_default()),
            retry_after,
        })),
        _ if status.is_success() => {
            // A body that is not a response rejects nothing.
            let body = body.map_err(|error| Failure::new(error_chain(error.as_ref())))?;
            // The response to traces has the same fields.
            let response = ExportLogsServiceResponse::decode(body).unwrap_or_default();
            let partial = response.partial_success.unwrap_or_default();
            Ok(ExportResult::Accepted {
                rejected: u64::try_from(partial.rejected_log_records).unwrap_or(0),
                reason: readable(partial.error_message.as_bytes()),
            })
        }
        _ if status.is_client_error() || status.is_server_error() => {
            Ok(ExportResult::Rejected(reason(&body.unwrap_or_default())))
        }
        // The server at this address is not an OpenTelemetry receiver.
        _ => Err(Failure::new(reason(&body.unwrap_or_default()))),
    }
}

/// Parses `Retry-After`: a number of seconds or a date.
fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Duration::try_from(date.duration_since(now)).ok()
}

/// The readable part of a response. An error is a protobuf message, in which the text is between
/// other bytes.
fn readable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.split(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
    let text = text.max_by_key(|part| part.len()).unwrap_or_default();
    text.trim().chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
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
                parse_retry_after(value, now),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn readable_text_of_a_response_is_shown() {
        assert_eq!(readable(b"\x08\x03\x12\x0ano such log"), "no such log");
        assert_eq!(readable(b"plain"), "plain");
        assert_eq!(readable(b""), "");
        assert_eq!(readable(&[b'x'; 1000]).len(), MAX_MESSAGE_CHARS);
    }
}
