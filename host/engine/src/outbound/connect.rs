//! Connection to an origin: resolve, check the addresses, connect, TLS handshake.

use std::net::SocketAddr;
use std::sync::Arc;

use http1_strict::Host;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::Error;

use super::errors::from_io;
use super::origin::Origin;
use super::report::Report;
use super::resolver::Resolver;
use super::{Outbound, address};

/// The byte stream of a connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to the allowed `origin`, until `deadline`.
///
/// The name is resolved once, and the connection goes to one of the checked addresses, so that a
/// later change of the name (DNS rebinding) has no effect.
pub(super) async fn connect(
    outbound: &Outbound,
    origin: &Origin,
    report: &Report,
    deadline: Instant,
) -> Result<Box<dyn Stream>, Error> {
    let addresses = addresses(&outbound.resolver, origin, report);
    let addresses = timeout_at(deadline, addresses)
        .await
        .map_err(|_| Error::DnsTimeout)??;
    let connected = async {
        let stream = connect_tcp(&addresses, deadline, report).await?;
        // Heads and chunks are written in one piece, so Nagle's algorithm would only delay them.
        stream.set_nodelay(true).map_err(|error| from_io(&error))?;
        match &outbound.tls {
            Some(tls) if origin.is_encrypted() => encrypt(tls, &origin.host, stream, report).await,
            None if origin.is_encrypted() => Err(Error::ConfigurationError),
            _ => Ok(Box::new(stream) as Box<dyn Stream>),
        }
    };
    timeout_at(deadline, connected)
        .await
        .map_err(|_| Error::ConnectionTimeout)?
}

/// The allowed addresses of `origin`.
async fn addresses(
    resolver: &Resolver,
    origin: &Origin,
    report: &Report,
) -> Result<Vec<SocketAddr>, Error> {
    let name = match &origin.host {
        Host::Ip(address) => return Ok(vec![SocketAddr::new(*address, origin.port)]),
        Host::Name(name) => name,
    };
    let found = resolver.resolve(name, origin.port, report).await?;
    let (allowed, denied): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|found| address::is_allowed(&origin.host, found.ip()));
    if !allowed.is_empty() {
        return Ok(allowed);
    }
    if let Some(first) = denied.first() {
        report.log_denied_address(first.ip());
    }
    Err(Error::DestinationIpProhibited)
}

/// Tries the addresses in order. Each gets an equal share of the remaining time.
async fn connect_tcp(
    addresses: &[SocketAddr],
    deadline: Instant,
    report: &Report,
) -> Result<TcpStream, Error> {
    let mut failure = Error::DestinationUnavailable;
    for (left, address) in (1..=addresses.len()).rev().zip(addresses) {
        let time_left = deadline.saturating_duration_since(Instant::now());
        let share = time_left / u32::try_from(left).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                report.set_cause(format_args!("{address}: {error}"));
                failure = from_io(&error);
            }
            Err(_) => failure = Error::ConnectionTimeout,
        }
    }
    Err(failure)
}

/// TLS handshake with a server that authenticates as `host`.
async fn encrypt(
    tls: &Arc<ClientConfig>,
    host: &Host,
    stream: TcpStream,
    report: &Report,
) -> Result<Box<dyn Stream>, Error> {
    let name = match host {
        Host::Ip(address) => ServerName::from(*address),
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?
        }
    };
    let stream = TlsConnector::from(tls.clone())
        .connect(name, stream)
        .await
        .map_err(|error| {
            // An invalid certificate, for example, has its reason in the message.
            report.set_cause(&error);
            from_io(&error)
        })?;
    Ok(Box::new(stream))
}
