//! Outbound requests of guests: policy and HTTP client.
//!
//! - this file: [`Outbound`], which all guests of a server share, and the state of a store.
//! - `origin.rs`, `policy.rs`: scheme, host and port, and the allowlist of origins.
//! - `client.rs`: one request, step by step.
//! - `in_flight.rs`: the requests in flight of one instance; `concurrency_limit.rs`: their limit.
//! - `resolver.rs`, `address.rs`, `tls.rs`, `connect.rs`: from a name to a connection.
//! - `body.rs`: the bodies; `forwarding.rs`: those of clients, which guests pass on; `framing.rs`:
//!   lengths and transfer codings.
//! - `errors.rs`, `report.rs`: error codes for the guest, and log entries.
//!
//! By default, outbound requests are denied. For an origin that the operator has allowed
//! ([`AllowedOrigin`]), each request is checked twice: the origin first, then the addresses that
//! its name resolves to. Redirects are ordinary responses and not followed here. A guest that
//! follows one sends a new request, which is checked like any other.
//!
//! Each request has its own HTTP/1.1 connection, which is closed with the response, because reused
//! connections could leak data from one guest to the next. Open requests of a guest end with its
//! store.

mod address;
mod body;
mod client;
mod concurrency_limit;
mod connect;
mod errors;
mod forwarding;
mod framing;
mod in_flight;
mod origin;
mod policy;
mod report;
mod resolver;
mod tls;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use rustls::ClientConfig;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::host_memory::{BODY_BYTES, BODY_CHUNK_BYTES, fields};
use body::GuestBody;
use client::OutboundRequest;
pub(crate) use forwarding::ClientBody;
use forwarding::Forwarding;
use http_body_util::BodyExt;
pub use http1_strict::HostError;
use in_flight::{BufferedBytes, InFlight};
use origin::Origin;
pub use origin::OriginError;
pub use policy::AllowedOrigin;
use telemetry::RequestId;

use policy::Policy;
use report::Report;
use resolver::Resolver;

/// Upper limit of the timeout of a request: deadlines beyond may exceed the range of the clock.
const MAX_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// Limit of the header fields of a response.
const MAX_FIELDS: usize = 100;

/// Limit of the parsed header fields, so that the error of a response with more than [`MAX_FIELDS`]
/// can be specific: about as many as fit into the largest head.
const MAX_PARSED_FIELDS: usize = 1000;

/// Settings of outbound requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundSettings {
    /// The allowed origins.
    pub allowed: Vec<AllowedOrigin>,
    /// Timeout of a request until the head of its response is received.
    pub timeout: Duration,
    /// Limit of the requests in flight of one instance.
    pub max_concurrent: NonZeroU32,
}

/// Policy and shared state of the outbound requests of all guests.
#[derive(Debug, Clone)]
pub struct Outbound {
    policy: Policy,
    /// None if no allowed origin needs TLS.
    tls: Option<Arc<ClientConfig>>,
    resolver: Resolver,
    timeout: Duration,
    max_concurrent: NonZeroU32,
}

/// Why outbound requests cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// No trusted certificate authority.
    #[error(
        "requests to https origins are allowed, but this system has no trusted certificate \
         authority; install the package `ca-certificates`, or name a file of certificates in the \
         environment variable `SSL_CERT_FILE`"
    )]
    NoRoots,
    /// TLS cannot be set up.
    #[error("cannot set up TLS for outbound requests: {0}")]
    Tls(rustls::Error),
}

impl Outbound {
    /// Prepares outbound requests. If an https origin is allowed, the certificate authorities of
    /// the system are loaded.
    ///
    /// # Errors
    ///
    /// Fails if there are none.
    pub fn new(settings: OutboundSettings) -> Result<Self, OutboundError> {
        let OutboundSettings {
            allowed,
            timeout,
            max_concurrent,
        } = settings;
        let policy = Policy::new(allowed);
        let tls = policy.has_https().then(tls::config).transpose()?;
        Ok(Self {
            policy,
            tls,
            resolver: Resolver::default(),
            timeout: timeout.min(MAX_TIMEOUT),
            max_concurrent,
        })
    }

    /// The state of one store.
    pub(crate) fn ctx(self: &Arc<Self>, request_id: RequestId) -> OutboundCtx {
        OutboundCtx {
            outbound: self.clone(),
            request_id,
            in_flight: None,
        }
    }
}

impl Default for Outbound {
    /// Denies all requests.
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            tls: None,
            resolver: Resolver::default(),
            timeout: Duration::ZERO,
            max_concurrent: NonZeroU32::MIN,
        }
    }
}

/// The outbound requests of one instance.
///
/// It has to be dropped before the table of the store, which contains the bodies of its requests,
/// so that unfinished bodies become errors instead of looking complete.
pub(crate) struct OutboundCtx {
    outbound: Arc<Outbound>,
    request_id: RequestId,
    /// Created with the first request, because most guests send none.
    in_flight: Option<Arc<InFlight>>,
}

impl OutboundCtx {
    /// Switches to the next request that the instance serves.
    pub(crate) fn begin_request(&mut self, request_id: RequestId) {
        self.request_id = request_id;
        if let Some(in_flight) = &self.in_flight {
            in_flight.begin_request();
        }
    }

    /// Checks a request against the policy, and returns its origin. Denials are logged.
    fn admit(&self, request: &Request<WasiBody>, report: &mut Report) -> Result<Origin, Error> {
        let origin = Origin::of(request.uri()).map_err(|_| Error::HttpRequestUriInvalid)?;
        report.origin = Some(origin.clone());
        if !self.outbound.policy.allows(&origin) {
            report.log_denied_origin();
            return Err(Error::HttpRequestDenied);
        }
        // A tunnel is not supported.
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        Ok(origin)
    }

    fn in_flight(&mut self) -> &Arc<InFlight> {
        let max_concurrent = self.outbound.max_concurrent;
        let new = || Arc::new(InFlight::new(max_concurrent));
        self.in_flight.get_or_insert_with(new)
    }

    /// Counts `bytes` of a request that goes to the next handler of a middleware, until the returned
    /// value is dropped.
    pub(crate) fn add_buffered(&mut self, bytes: usize) -> BufferedBytes {
        self.in_flight().add_buffered(bytes)
    }

    /// The body of a request that goes to the next handler of a middleware, which writes it.
    pub(crate) fn guest_body(&mut self, body: WasiBody) -> WasiBody {
        let forwarding = Forwarding::new(self.in_flight().clone());
        GuestBody::new(body, forwarding).boxed_unsync()
    }

    /// Waits until the bodies of clients that requests of the guest forward have been sent.
    pub(crate) fn all_forwarded(&self) -> impl Future<Output = ()> + use<> {
        let in_flight = self.in_flight.clone();
        async move {
            if let Some(in_flight) = in_flight {
                in_flight.all_forwarded().await;
            }
        }
    }

    /// Size of the buffered requests in flight, in bytes.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.in_flight
            .as_ref()
            .map_or(0, |in_flight| in_flight.buffered_bytes())
    }

    /// Aborts bodies that the guest has not completed, and closes connections.
    pub(crate) fn close(&self) {
        if let Some(in_flight) = &self.in_flight {
            in_flight.close();
        }
    }
}

impl Drop for OutboundCtx {
    fn drop(&mut self) {
        self.close();
    }
}

/// Size of the server's memory for a request in flight, in bytes: its head, and the buffer of its
/// body.
fn request_bytes(request: &Request<WasiBody>) -> usize {
    let uri = request.uri();
    let authority = uri
        .authority()
        .map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let method = request.method().as_str().len();
    fields(request.headers()) + method + authority + path + BODY_BYTES
}

/// The head of a response, and the future that drives its connection and thereby its body.
type SendResult = Result<
    (
        Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for OutboundCtx {
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        let in_flight = self.in_flight().clone();
        let mut report = Report {
            request_id: self.request_id.clone(),
            in_flight: in_flight.clone(),
            method: request.method().clone(),
            origin: None,
            cause: Mutex::default(),
            outcome: None,
        };
        match self.admit(&request, &mut report) {
            Ok(origin) => {
                let buffered = in_flight.add_buffered(request_bytes(&request));
                let outbound_request = OutboundRequest {
                    request,
                    buffered,
                    options: options.unwrap_or_default(),
                    origin,
                    outbound: self.outbound.clone(),
                    in_flight,
                };
                Box::new(client::send(outbound_request, report))
            }
            Err(error) => {
                report.fail(&error);
                Box::new(std::future::ready(Err(error)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
