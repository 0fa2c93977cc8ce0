//! The requests that guests send: to whom they may, and how that is done.
//!
//! - this file: [`Outbound`], which all guests of a server share, and what a store has.
//! - `origin.rs`, `policy.rs`: scheme, host and port, and which are allowed.
//! - `client.rs`: one request, in the order of what happens to it.
//! - `in_flight.rs`: how many there may be at once.
//! - `lookup.rs`, `address.rs`, `tls.rs`, `connect.rs`: from a name to a connection.
//! - `body.rs`: what is sent and received over it; `framing.rs`: how that is announced.
//! - `errors.rs`, `report.rs`: what the guest and the log get to know.
//!
//! By default guests may send requests to nobody. Where the operator has allowed an
//! origin ([`AllowedOrigin`]), each request to it is checked twice: the origin before
//! anything happens, and then the addresses that its name has. Redirects are responses
//! like others: nothing here follows them. A guest that does sends a request, which is
//! checked like the one before.
//!
//! Every request has a connection of its own, over HTTP/1.1, which is closed with the
//! response: connections that are kept for later would pass from one guest to the next
//! what no guest should know of another. Whatever a guest has open ends with its store.

mod address;
mod body;
mod client;
mod connect;
mod errors;
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

use crate::host_memory::{BODY_BYTES, fields};
use client::OutboundRequest;
pub use http1_strict::HostError;
use in_flight::InFlight;
use origin::Origin;
pub use origin::OriginError;
pub use policy::AllowedOrigin;
use policy::Policy;
use report::Report;
use resolver::Resolver;
use telemetry::RequestId;

/// How large the head of a response may be, and how much of a body is read ahead, in
/// bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 << 10;

/// The most that a guest can write to a body at once, in bytes. Two such chunks are buffered.
pub(crate) const BODY_CHUNK_BYTES: usize = 64 << 10;

/// The longest time that a request may take. Clocks can be asked for the time in a year,
/// but not for any.
const MAX_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// How many fields the head of a response may have.
const MAX_FIELDS: usize = 100;

/// How many are read, so that the error of a response with more than [`MAX_FIELDS`] names them:
/// as many as fit into the largest head with some content.
const MAX_PARSED_FIELDS: usize = 1000;

/// What guests may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundSettings {
    /// To whom.
    pub allowed: Vec<AllowedOrigin>,
    /// How long a request may take until the head of its response is there.
    pub timeout: Duration,
    /// How many requests one instance may have under way.
    pub max_concurrent: NonZeroU32,
}

/// Sends the requests of all guests of a server.
#[derive(Debug, Clone)]
pub struct Outbound {
    policy: Policy,
    /// None if no origin that is allowed needs it.
    tls: Option<Arc<ClientConfig>>,
    resolver: Resolver,
    timeout: Duration,
    max_concurrent: NonZeroU32,
}

/// Why guests cannot send what they may.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// Nobody could prove who they are.
    #[error(
        "requests to https origins are allowed, but no certificate of an authority was found on \
         this system; install the package `ca-certificates`, or name a file of them in the \
         environment variable `SSL_CERT_FILE`"
    )]
    NoRoots,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up for requests of guests: {0}")]
    Tls(rustls::Error),
}

impl Outbound {
    /// Prepares what requests need. If there is an https origin among the allowed ones,
    /// this reads the certificates of the system.
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

    /// What the store of a guest has of it.
    pub(crate) fn ctx(self: &Arc<Self>, request_id: RequestId) -> OutboundCtx {
        OutboundCtx {
            outbound: self.clone(),
            request_id,
            in_flight: None,
        }
    }
}

impl Default for Outbound {
    /// Sends nothing to anybody.
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

/// The requests that one instance sends.
///
/// It has to be dropped before the table of the store, in which the bodies of these
/// requests are, so that those which are not finished are not taken for whole ones.
pub(crate) struct OutboundCtx {
    outbound: Arc<Outbound>,
    request_id: RequestId,
    /// Made for the first request: most guests send none.
    in_flight: Option<Arc<InFlight>>,
}

impl OutboundCtx {
    /// Says that the instance serves another request from now on.
    pub(crate) fn begin_request(&mut self, request_id: RequestId) {
        self.request_id = request_id;
        if let Some(in_flight) = &self.in_flight {
            in_flight.begin_request();
        }
    }

    /// Checks whether the request may be sent, and to whom it goes. Refusals are logged.
    fn admit(&self, request: &Request<WasiBody>, report: &mut Report) -> Result<Origin, Error> {
        let origin = Origin::of(request.uri()).map_err(|_| Error::HttpRequestUriInvalid)?;
        report.origin = Some(origin.clone());
        if !self.outbound.policy.allows(&origin) {
            report.log_denied_origin();
            return Err(Error::HttpRequestDenied);
        }
        // What it asks for is another connection, and there is none to whoever it names.
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        Ok(origin)
    }

    /// What the server keeps of requests that are under way, in bytes.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.in_flight
            .as_ref()
            .map_or(0, |in_flight| in_flight.buffered_bytes())
    }

    /// Breaks off what the guest has not sent as a whole.
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

/// What the server keeps of a request until it is done: its head, and what its body buffers.
fn request_bytes(request: &Request<WasiBody>) -> usize {
    let uri = request.uri();
    let authority = uri
        .authority()
        .map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let method = request.method().as_str().len();
    fields(request.headers()) + method + authority + path + BODY_BYTES
}

/// The head of a response with a body that comes in while the future is polled.
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

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        let max_concurrent = self.outbound.max_concurrent;
        let in_flight = self
            .in_flight
            .get_or_insert_with(|| Arc::new(InFlight::new(max_concurrent)))
            .clone();
        let mut report = Report {
            request_id: self.request_id.clone(),
            in_flight: in_flight.clone(),
            method: request.method().clone(),
            origin: None,
            reason: Mutex::default(),
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
