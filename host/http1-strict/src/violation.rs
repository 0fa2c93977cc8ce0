//! Rules that a message can break.

use http::StatusCode;

/// The rule that a message breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A rule of the syntax or the framing. Holds a description for the client.
    Malformed(&'static str),
    /// A method or a transfer coding that is not supported. Holds a description for the client.
    NotImplemented(&'static str),
    /// A version of HTTP other than 1.x.
    Version,
    /// A value of `Expect` other than `100-continue`.
    Expectation,
    /// A request target above its limit.
    TargetTooLong,
    /// A head or trailers above their limits.
    HeadTooLarge,
    /// A body above its limit.
    BodyTooLarge,
}

impl Violation {
    /// The status of the response to the message.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}
