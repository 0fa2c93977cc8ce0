//! Rejections: requests and connections to which the server responds without a guest.

use http::StatusCode;
use http1_strict::Violation;

use crate::metrics::Reason;

/// The reason why the server rejects a request or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The request violates a rule of HTTP, or a limit of its size.
    Invalid(Violation),
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
            Self::Invalid(violation) => (violation.status(), detail(violation)),
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
            Self::Invalid(violation) => match violation {
                Violation::Malformed(_) => Reason::Malformed,
                Violation::NotImplemented(_) | Violation::Version => Reason::Unsupported,
                Violation::Expectation => Reason::Expectation,
                Violation::TargetTooLong => Reason::TargetTooLong,
                Violation::HeadTooLarge => Reason::HeaderTooLarge,
                Violation::BodyTooLarge => Reason::BodyTooLarge,
            },
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
        !self.is_temporary()
            && !matches!(self, Self::Invalid(Violation::Expectation) | Self::NoRoute)
    }
}

impl From<Violation> for Rejection {
    fn from(violation: Violation) -> Self {
        Self::Invalid(violation)
    }
}

/// The problem detail of a violation.
fn detail(violation: Violation) -> &'static str {
    match violation {
        Violation::Malformed(detail) | Violation::NotImplemented(detail) => detail,
        Violation::Version => "supported versions: HTTP/1.0, HTTP/1.1 and HTTP/2",
        Violation::Expectation => "the only supported expectation is 100-continue",
        Violation::TargetTooLong => "the request target is too long",
        Violation::HeadTooLarge => "the request head is too large, or has too many fields",
        Violation::BodyTooLarge => "the request body is too large",
    }
}
