//! Name resolution.

use std::net::{SocketAddr, ToSocketAddrs};
use std::{io, thread};

use tokio::sync::oneshot;
use wasmtime_wasi_http::Error;

use super::concurrency_limit::ConcurrencyLimit;
use super::report::Report;

/// Limit of concurrent look-ups of all guests together.
const MAX_CONCURRENT: usize = 64;

/// A blocking look-up.
pub(super) type ResolveFn = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Resolves names with the resolver of the system, including its files.
///
/// Each look-up runs on its own thread. The blocking threads of the runtime are not suitable,
/// because a runtime waits for them when it shuts down, and a look-up cannot be cancelled.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    resolve: ResolveFn,
    limit: ConcurrencyLimit,
}

impl Resolver {
    pub(super) fn new(resolve: ResolveFn) -> Self {
        Self {
            resolve,
            limit: ConcurrencyLimit::new(MAX_CONCURRENT),
        }
    }

    /// Resolves `name` to addresses, in order of preference.
    ///
    /// # Errors
    ///
    /// Fails if the look-up fails, or finds no address.
    pub(super) async fn resolve(
        &self,
        name: &str,
        port: u16,
        report: &Report,
    ) -> Result<Vec<SocketAddr>, Error> {
        let permit = self.limit.acquire().await;
        let (sender, answer) = oneshot::channel();
        let resolve = self.resolve;
        let name = name.to_owned();
        let look_up = move || {
            let addresses = resolve(&name, port);
            drop(permit);
            // Fails if the guest has ended.
            let _ = sender.send(addresses);
        };
        let thread = thread::Builder::new().name("lookup".to_owned());
        thread.spawn(look_up).map_err(|_| dns_error())?;
        match answer.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(Err(error)) => {
                report.set_cause(error);
                Err(dns_error())
            }
            _ => Err(dns_error()),
        }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|name, port| Ok((name, port).to_socket_addrs()?.collect()))
    }
}

/// The error without a response code of DNS, which the system does not report.
fn dns_error() -> Error {
    Error::DnsError {
        rcode: None,
        info_code: None,
    }
}
