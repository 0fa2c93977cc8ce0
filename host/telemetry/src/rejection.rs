//! Rejections: requests and connections to which the server responds without a guest.

use http::StatusCode;
use http1_strict::Violation;

use crate::metrics::Reason;

/// The reason why the server rejects a request or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The request violates a rule of HTTP. Holds a description for the client.
    Malformed(&'static str),
    /// Unsupported method or transfer coding. Holds a description for the client.
    NotImplemented(&'static str),
    /// Unsupported HTTP version: not 1.0, 1.1 or 2.
    Version,
    /// Unsupported value of `Expect`: not `100-continue`.
    Expectation,
    /// The request target exceeds its limit.
    TargetTooLong,
    /// The head exceeds its limit of bytes or fields.
    HeadTooLarge,
    /// The body exceeds its limit.
    BodyTooLarge,
    /// The head was not complete within its timeout.
    HeadTimeout,
    /// The body is slower than the minimum rate.
    BodyTimeout,
    /// The body ended early, or its framing is invalid.
    BodyBroken,
    /// The queue of the function is full.
    QueueFull,
    /// The request exceeded the queue timeout.
    QueueTimeout,
    /// The memory limit of the process is exceeded.
    OutOfMemory,
    /// The limit of open connections is reached.
    TooManyConnections,
    /// An operator has paused the function.
    Paused,
    /// The function is not loaded yet.
    Loading,
    /// No function has a route that matches the request.
    NoRoute,
}

impl Rejection {
    /// Status and problem detail of the response.
    #[must_use]
    pub fn response(self) -> (StatusCode, &'static str) {
        match self {
            Self::Malformed(detail) => (StatusCode::BAD_REQUEST, detail),
            Self::NotImplemented(detail) => (StatusCode::NOT_IMPLEMENTED, detail),
            Self::Version => (
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "supported versions: HTTP/1.0, HTTP/1.1 and HTTP/2",
            ),
            Self::Expectation => (
                StatusCode::EXPECTATION_FAILED,
                "the only supported expectation is 100-continue",
            ),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, "the request target is too long"),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the request head is too large, or has too many fields",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the request body is too large",
            ),
            Self::HeadTimeout => (
                StatusCode::REQUEST_TIMEOUT,
                "the request head was not complete in time",
            ),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "the request body is too slow"),
            Self::BodyBroken => (
                StatusCode::BAD_REQUEST,
                "the request body ended early, or its framing is invalid",
            ),
            Self::Paused => (StatusCode::SERVICE_UNAVAILABLE, "the function is paused"),
            Self::Loading => (StatusCode::SERVICE_UNAVAILABLE, "the function is loading"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "no function matches the request"),
            Self::QueueFull | Self::QueueTimeout | Self::OutOfMemory | Self::TooManyConnections => {
                (StatusCode::SERVICE_UNAVAILABLE, "the server is overloaded")
            }
        }
    }

    /// The label value in the metrics.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Malformed(_) => Reason::Malformed,
            Self::NotImplemented(_) | Self::Version => Reason::Unsupported,
            Self::Expectation => Reason::Expectation,
            Self::TargetTooLong => Reason::TargetTooLong,
            Self::HeadTooLarge => Reason::HeaderTooLarge,
            Self::BodyTooLarge => Reason::BodyTooLarge,
            Self::HeadTimeout => Reason::HeaderTimeout,
            Self::BodyTimeout => Reason::BodyTimeout,
            Self::BodyBroken => Reason::BodyBroken,
            Self::QueueFull => Reason::QueueFull,
            Self::QueueTimeout => Reason::QueueTimeout,
            Self::OutOfMemory => Reason::Memory,
            Self::TooManyConnections => Reason::Connections,
            Self::Paused => Reason::Paused,
            Self::Loading => Reason::Loading,
            Self::NoRoute => Reason::NoRoute,
        }
    }

    /// Whether the client may retry the request soon.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::QueueFull
                | Self::QueueTimeout
                | Self::OutOfMemory
                | Self::TooManyConnections
                | Self::Paused
                | Self::Loading
        )
    }

    /// Whether an HTTP/1.1 connection must close, because the boundaries of the following messages
    /// cannot be trusted.
    #[must_use]
    pub fn ends_connection(self) -> bool {
        !self.is_temporary() && !matches!(self, Self::Expectation | Self::NoRoute)
    }
}

impl From<Violation> for Rejection {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::Malformed(detail) => Self::Malformed(detail),
            Violation::NotImplemented(detail) => Self::NotImplemented(detail),
            Violation::Version => Self::Version,
            Violation::Expectation => Self::Expectation,
            Violation::TargetTooLong => Self::TargetTooLong,
            Violation::HeadTooLarge => Self::HeadTooLarge,
            Violation::BodyTooLarge => Self::BodyTooLarge,
        }
    }
}
