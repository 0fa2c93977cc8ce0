//! Why the server answers a request itself, before there is a guest.

use http::StatusCode;

use crate::metrics::Reason;

/// Why the server answers a request itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request breaks a rule of HTTP. Holds which one.
    Malformed(&'static str),
    /// A method or a coding that nobody here knows. Holds which.
    NotImplemented(&'static str),
    /// A version of HTTP other than 1.0, 1.1 and 2.
    Version,
    /// `expect` asks for something else than `100-continue`.
    Expectation,
    /// The target is longer than it may be.
    TargetTooLong,
    /// The head is larger, or has more fields, than it may.
    HeadTooLarge,
    /// The body is larger than it may be.
    BodyTooLarge,
    /// The head did not come in time.
    HeadTimeout,
    /// The body comes too slowly.
    BodyTimeout,
    /// The body ended early, or came damaged.
    BodyBroken,
    /// As many requests wait as may.
    QueueFull,
    /// No instance became free in time.
    QueueTimeout,
    /// The process has as much memory as it may.
    OutOfMemory,
    /// As many connections are open as may be.
    TooManyConnections,
    /// An operator wants the function to answer nothing.
    Paused,
    /// The function is not loaded yet.
    Loading,
    /// No function has a route to which the request belongs.
    NoRoute,
}

impl Refusal {
    /// The status of the response, and what its client is told.
    pub(super) fn response(self) -> (StatusCode, &'static str) {
        match self {
            Self::Malformed(why) => (StatusCode::BAD_REQUEST, why),
            Self::NotImplemented(what) => (StatusCode::NOT_IMPLEMENTED, what),
            Self::Version => (
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "this server speaks HTTP/1.0, HTTP/1.1 and HTTP/2",
            ),
            Self::Expectation => (
                StatusCode::EXPECTATION_FAILED,
                "the only expectation that can be met is 100-continue",
            ),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, "the target is too long"),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the head is too large, or has too many fields",
            ),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
            Self::HeadTimeout => (
                StatusCode::REQUEST_TIMEOUT,
                "the head of the request did not come in time",
            ),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "the body comes too slowly"),
            Self::BodyBroken => (
                StatusCode::BAD_REQUEST,
                "the body ended early, or is not framed as it should be",
            ),
            Self::Paused => (StatusCode::SERVICE_UNAVAILABLE, "the function is paused"),
            Self::Loading => (StatusCode::SERVICE_UNAVAILABLE, "the function is loading"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "no function is served here"),
            Self::QueueFull | Self::QueueTimeout | Self::OutOfMemory | Self::TooManyConnections => {
                (StatusCode::SERVICE_UNAVAILABLE, "the server is overloaded")
            }
        }
    }

    /// As what it is counted.
    pub(super) fn reason(self) -> Reason {
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

    /// Whether the same request may work a little later.
    pub(super) fn is_passing(self) -> bool {
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

    /// Whether nothing that follows on the same connection of HTTP/1.1 can be trusted
    /// to be what its sender means.
    pub(super) fn ends_connection(self) -> bool {
        !self.is_passing() && !matches!(self, Self::Expectation | Self::NoRoute)
    }
}
