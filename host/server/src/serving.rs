//! The interface of a connection, which HTTP/1 and HTTP/2 have in common.

use std::fmt::Display;
use std::pin::Pin;

use hyper_util::server::graceful::GracefulConnection;
use telemetry::metrics::ConnectionError;

/// A connection that reads and answers requests while it is polled.
pub(crate) trait Serving: Future<Output = Result<(), Self::Error>> {
    /// The reason for an early end.
    type Error: ConnectionFailure;

    /// Lets the connection end after the requests that have begun.
    fn end(self: Pin<&mut Self>);
}

/// The reason for an early end of a connection.
pub(crate) trait ConnectionFailure: Display {
    /// The label of metrics, or None if the client is not the cause.
    fn kind(&self) -> Option<ConnectionError>;
}

impl<C: GracefulConnection<Error = hyper::Error>> Serving for C {
    type Error = hyper::Error;

    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl ConnectionFailure for hyper::Error {
    fn kind(&self) -> Option<ConnectionError> {
        let source = std::error::Error::source(self).and_then(|source| source.downcast_ref());
        let source = source.map(std::io::Error::kind);
        if self.is_user() {
            return None;
        }
        // The strict stream's error for a body that breaks the rules.
        let is_lost = source.is_some_and(|kind| kind != std::io::ErrorKind::InvalidData);
        if is_lost || self.is_incomplete_message() || self.is_canceled() {
            Some(ConnectionError::Lost)
        } else {
            Some(ConnectionError::Protocol)
        }
    }
}
