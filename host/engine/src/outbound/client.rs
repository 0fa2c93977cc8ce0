//! One outbound request: connect, send, receive.

use std::fmt::Write;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{RequestBody, ResponseBody};
use super::concurrency_limit::Permit;
use super::connect::{self, Stream};
use super::errors::from_hyper;
use super::forwarding::Forwarding;
use super::in_flight::{BufferedBytes, InFlight};
use super::origin::Origin;
use super::report::Report;
use super::{MAX_FIELDS, MAX_PARSED_FIELDS, Outbound, SendResult, framing};
use crate::host_memory::MAX_HEAD_BYTES;

/// Hop-by-hop fields, which concern one connection. wasmtime rejects most of them already, but this
/// client does not rely on it.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

type Connection = Pin<Box<http1::Connection<TokioIo<Box<dyn Stream>>, RequestBody>>>;

/// A request that the policy allows.
pub(super) struct OutboundRequest {
    pub(super) request: Request<WasiBody>,
    pub(super) options: RequestOptions,
    pub(super) origin: Origin,
    pub(super) outbound: Arc<Outbound>,
    pub(super) in_flight: Arc<InFlight>,
    /// Its buffered bytes, counted until its connection is closed.
    pub(super) buffered: BufferedBytes,
}

/// Sends a request. Resolves with the head of the response and a future that drives the connection:
/// polling it receives the body. Dropping either one closes the connection.
pub(super) async fn send(outbound_request: OutboundRequest, report: Report) -> SendResult {
    let sent = exchange(outbound_request, &report).await;
    match &sent {
        Ok((response, _)) => report.finish(response.status()),
        Err(error) => report.fail(error),
    }
    sent
}

async fn exchange(outbound_request: OutboundRequest, report: &Report) -> SendResult {
    let OutboundRequest {
        request,
        options,
        origin,
        outbound,
        in_flight,
        buffered,
    } = outbound_request;
    let deadline = Instant::now() + outbound.timeout;
    let permit = timeout_at(deadline, in_flight.limit.acquire()).await;
    let Ok(Some(permit)) = permit else {
        report.set_cause(format_args!(
            "the guest had {} outbound requests in flight for {} s; it should read or drop their \
             responses first, or allow more with `--max-outbound` or `--outbound-timeout`",
            outbound.max_concurrent,
            outbound.timeout.as_secs_f64()
        ));
        return Err(Error::ConnectionLimitReached);
    };
    let connect_deadline = earlier(deadline, options.connect_timeout);
    let stream = connect::connect(&outbound, &origin, report, connect_deadline).await?;
    let request = prepare(request, &origin)?;
    let (head, body) = request.into_parts();
    let forwarding = Forwarding::new(in_flight.clone());
    let body = RequestBody::new(
        body,
        &head.headers,
        forwarding.clone(),
        report.request_id.clone(),
    );
    let mut request = Request::from_parts(head, body);
    framing::announce(&mut request).await?;

    let head_deadline = earlier(deadline, options.first_byte_timeout);
    let head = timeout_at(head_deadline, receive_head(stream, request, report)).await;
    let (mut response, connection) = match head {
        Ok(head) => head?,
        Err(_) if head_deadline < deadline => return Err(Error::ConnectionReadTimeout),
        Err(_) => return Err(Error::HttpResponseTimeout),
    };
    if response.headers().len() > MAX_FIELDS {
        report.set_cause(format_args!(
            "the response has more than {MAX_FIELDS} header fields"
        ));
        // The error can only contain a limit in bytes.
        return Err(Error::HttpResponseHeaderSectionSize(None));
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::HttpUpgradeFailed);
    }
    framing::unify_length(response.headers_mut())?;
    Ok(into_guest_response(
        response,
        connection,
        (permit, buffered, forwarding),
        in_flight,
        options,
    ))
}

/// The earlier of the deadline and the timeout that the guest has set.
fn earlier(deadline: Instant, timeout: Option<Duration>) -> Instant {
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    end.map_or(deadline, |end| end.min(deadline))
}

/// The request in the form that is sent to `origin`.
fn prepare(request: Request<WasiBody>, origin: &Origin) -> Result<Request<WasiBody>, Error> {
    let (mut head, body) = request.into_parts();
    let path = match head.uri.path_and_query() {
        // An empty path is sent as `/` (RFC 9112, section 3.2.1).
        Some(path) if path.as_str().starts_with('?') => format!("/{}", path.as_str()).parse().ok(),
        path => path.cloned(),
    };
    let path = path.map(|path| encode(&path).unwrap_or(path));
    head.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    head.version = Version::HTTP_11;
    for name in HOP_BY_HOP {
        head.headers.remove(name);
    }
    let host = HeaderValue::try_from(origin.authority());
    let host = host.map_err(|_| Error::HttpRequestUriInvalid)?;
    head.headers.insert(HOST, host);
    // Connections are not reused.
    let close = HeaderValue::from_static("close");
    head.headers.insert(CONNECTION, close);
    Ok(Request::from_parts(head, body))
}

/// Percent-encodes characters that [`Uri`] accepts but URIs do not contain, such as `é`, for which
/// servers reject a request (RFC 3986, section 2.1). None if there are none.
fn encode(target: &PathAndQuery) -> Option<PathAndQuery> {
    let is_allowed = |byte: u8| matches!(byte, b'!'..=b'~');
    if target.as_str().bytes().all(is_allowed) {
        return None;
    }
    let mut encoded = String::new();
    for byte in target.as_str().bytes() {
        if is_allowed(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded.parse().ok()
}

/// Sends a request over a new connection, and receives the head of the response. The connection is
/// None if it ended with the response.
async fn receive_head(
    stream: Box<dyn Stream>,
    request: Request<RequestBody>,
    report: &Report,
) -> Result<(Response<Incoming>, Option<Connection>), Error> {
    let failed = |error: &hyper::Error| {
        report.set_cause(sanitize::error_chain(error));
        from_hyper(error)
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_PARSED_FIELDS)
        // RFC 9112, section 5.2: a client replaces the fold by spaces.
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    let mut connection = Box::pin(connection);
    let mut response = pin!(sender.send_request(request));
    let ended = tokio::select! {
        biased;
        response = &mut response => {
            let response = response.map_err(|error| failed(&error))?;
            return Ok((response, Some(connection)));
        }
        ended = &mut connection => ended,
    };
    // The connection has delivered the response, if it received one.
    match (response.await, ended) {
        (Ok(response), _) => Ok((response, None)),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(failed(&error)),
    }
}

/// The response for the guest, and the future that drives its connection.
fn into_guest_response(
    response: Response<Incoming>,
    connection: Option<Connection>,
    held: (Permit, BufferedBytes, Arc<Forwarding>),
    in_flight: Arc<InFlight>,
    options: RequestOptions,
) -> (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
) {
    let max_idle = options.between_bytes_timeout;
    let body = |body| ResponseBody::new(body, max_idle).boxed_unsync();
    let response = response.map(body);
    let rest = async move {
        if let Some(connection) = connection {
            tokio::select! {
                biased;
                // The body has the error.
                _ = connection => {}
                // Until a server reads more of a body, it would not end.
                () = in_flight.closed() => {}
            }
        }
        // Even if the guest has not read the body: the rest of it is buffered here, and small.
        drop(held);
        Ok(())
    };
    (response, Box::new(rest))
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;

    #[test]
    fn hop_by_hop_fields_of_a_guest_are_not_sent() {
        let mut request = Request::builder().uri("https://Api.Example.:8443/a?b");
        for name in HOP_BY_HOP {
            request = request.header(name, "x");
        }
        let request = request
            .header(HOST, "evil.example")
            .header("accept", "text/plain")
            .body(Empty::new().map_err(|never| match never {}).boxed_unsync())
            .expect("a request");
        let origin = Origin::of(request.uri()).expect("an origin");
        let (head, _) = prepare(request, &origin).expect("it is fine").into_parts();
        assert_eq!(head.uri, "/a?b");
        let mut fields: Vec<_> = head.headers.iter().collect();
        fields.sort_by_key(|(name, _)| name.as_str());
        let fields: Vec<_> = fields
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_bytes()))
            .collect();
        let expected: [(_, &[u8]); 3] = [
            ("accept", b"text/plain"),
            ("connection", b"close"),
            ("host", b"api.example:8443"),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_target_has_a_path_and_is_percent_encoded() {
        for (url, target) in [
            ("http://a?b", "/?b"),
            ("http://a", "/"),
            ("http://a/?b", "/?b"),
            ("http://a/caf\u{e9}?\u{fc}=%20{", "/caf%C3%A9?%C3%BC=%20{"),
        ] {
            let request = Request::builder().uri(url);
            let request = request
                .body(Empty::new().map_err(|never| match never {}).boxed_unsync())
                .expect("a request");
            let origin = Origin::of(request.uri()).expect("an origin");
            let request = prepare(request, &origin).expect("it is fine");
            assert_eq!(*request.uri(), target, "{url}");
        }
    }
}
