//! Looking up the addresses of a name.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use tokio::sync::{Semaphore, oneshot};
use wasmtime_wasi_http::Error;

use super::report::Report;

/// How many look-ups there may be at once, of all guests together.
const MAX_CONCURRENT: usize = 64;

/// Looks up a name, which may take long.
pub(super) type ResolveFn = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Looks up names as the system does, files and all.
///
/// Each look-up has a thread of its own. Those of the runtime would do, but a runtime
/// waits for its threads when it ends, and nothing ends a look-up early.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    resolve: ResolveFn,
    permits: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new(resolve: ResolveFn) -> Self {
        Self {
            resolve,
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        }
    }

    /// The addresses of `name`, in the order in which they should be tried.
    ///
    /// # Errors
    ///
    /// Fails if it has none, or that cannot be found out.
    pub(super) async fn resolve(
        &self,
        name: &str,
        port: u16,
        report: &Report,
    ) -> Result<Vec<SocketAddr>, Error> {
        // It is never closed, so it can only be full.
        let permit = self.permits.clone().acquire_owned().await;
        let (sender, answer) = oneshot::channel();
        let resolve = self.resolve;
        let name = name.to_owned();
        let look_up = move || {
            let addresses = resolve(&name, port);
            drop(permit);
            // Nobody waits for this any more if the guest has gone.
            let _ = sender.send(addresses);
        };
        let thread = thread::Builder::new().name("lookup".to_owned());
        thread.spawn(look_up).map_err(|_| unknown())?;
        match answer.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(Err(error)) => {
                report.set_cause(error);
                Err(unknown())
            }
            _ => Err(unknown()),
        }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|name, port| Ok((name, port).to_socket_addrs()?.collect()))
    }
}

/// The system does not say what the answer of DNS was.
fn unknown() -> Error {
    Error::DnsError {
        rcode: None,
        info_code: None,
    }
}
