//! What is counted apart: reasons, kinds, methods and codes.

use http::Method;

/// Makes an enum of the values of a label.
macro_rules! label {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $value:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$($value),*].len()] = [$(Self::$variant),*];

            /// As the label has it.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)*
                }
            }
        }
    };
}

label! {
    /// Why a request got no guest, or a connection no request.
    Reason {
        /// There are as many connections as there may be (503).
        Connections = "connections",
        /// As many requests wait for an instance as may (503).
        QueueFull = "queue_full",
        /// The request has waited for an instance as long as it may (503).
        QueueTimeout = "queue_timeout",
        /// The process has as much memory as it may (503).
        Memory = "memory",
        /// The head of the request did not come in time (408).
        HeaderTimeout = "header_timeout",
        /// The body came too slowly (408).
        BodyTimeout = "body_timeout",
        /// The body ended early, or is not framed as it should be (400).
        BodyBroken = "body_broken",
        /// The body is larger than it may be (413).
        BodyTooLarge = "body_too_large",
        /// The target is longer than it may be (414).
        TargetTooLong = "target_too_long",
        /// The head is larger than it may be, or has more fields (431).
        HeaderTooLarge = "header_too_large",
        /// It is no request, or one that two readers may read in two ways (400).
        Malformed = "malformed",
        /// It is of a form, or a version of HTTP, that this server does not know (501, 505).
        Unsupported = "unsupported",
        /// It expects what this server cannot do (417).
        Expectation = "expectation",
        /// It belongs to no function (404).
        NoRoute = "no_route",
        /// Its function is paused.
        Paused = "paused",
        /// Its function is not loaded yet.
        Loading = "loading",
    }
}

label! {
    /// How a guest failed.
    FailureKind {
        /// It trapped, or could not be started.
        Trap = "trap",
        /// It took longer than it may.
        Timeout = "timeout",
        /// It computed longer than it may.
        Cpu = "cpu",
        /// It trapped after it had got less memory, or smaller tables, than it wanted.
        Memory = "memory",
        /// It returned without having set a response.
        NoResponse = "no_response",
        /// It set an error instead of a response.
        ErrorResponse = "error_response",
        /// It ended its response before that was whole.
        BrokenResponse = "broken_response",
        /// The audit log took no record of what it did.
        AuditUnavailable = "unaudited",
    }
}

label! {
    /// What broke a connection, or let there be none.
    ConnectionError {
        /// The system gave no connection, such as when file descriptors have run out.
        Accept = "accept",
        /// The handshake of TLS failed, or took too long.
        Tls = "tls",
        /// The client broke the rules of HTTP in a way that gets no answer.
        Protocol = "protocol",
        /// The client took nothing of a response for too long.
        WriteTimeout = "write_timeout",
        /// The connection was lost in the middle of a request or a response.
        Lost = "lost",
    }
}

/// The methods that are counted apart. All others are one.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
    Method::CONNECT,
    Method::TRACE,
];

/// How many numbers there are of methods.
pub(super) const METHOD_COUNT: usize = METHODS.len() + 1;

/// The number of a method.
pub(super) fn method_index(method: &Method) -> usize {
    let known = METHODS.iter().position(|known| known == method);
    known.unwrap_or(METHODS.len())
}

/// What the method of this number is called.
pub(super) fn method_label(index: usize) -> &'static str {
    const NAMES: [&str; METHOD_COUNT] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "other",
    ];
    NAMES[index]
}

/// The client has gone before it got a response. It is no code that anybody is sent, but
/// what web servers log.
pub const CLIENT_GONE: u16 = 499;

/// The codes that are counted apart: those that are registered, and [`CLIENT_GONE`]. A
/// guest may answer with any other, which all are one for each class.
#[rustfmt::skip]
const CODES: [u16; 63] = [
    100, 101, 102, 103, 104, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303,
    304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414,
    415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, CLIENT_GONE, 500, 501, 502,
    503, 504, 505, 506, 507, 508, 510, 511,
];

const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// How many numbers there are of codes.
pub(super) const CODE_COUNT: usize = CODES.len() + CLASSES.len();

/// The number of a code.
pub(super) fn code_index(code: u16) -> usize {
    CODES.binary_search(&code).unwrap_or_else(|_| {
        let class = usize::from(code / 100).wrapping_sub(1);
        CODES.len() + class.min(CLASSES.len() - 1)
    })
}

/// What the code of this number is called.
pub(super) fn code_label(index: usize) -> String {
    match CODES.get(index) {
        Some(code) => code.to_string(),
        None => CLASSES[index - CODES.len()].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_and_a_name() {
        assert!(CODES.is_sorted());
        for code in 100..1000 {
            let index = code_index(code);
            assert!(index < CODE_COUNT);
            let label = code_label(index);
            let is_named = label == code.to_string()
                || label == format!("{}xx", code / 100)
                || (code >= 600 && label == "other");
            assert!(is_named, "{code}: {label}");
        }
        assert_eq!(code_label(code_index(404)), "404");
        assert_eq!(code_label(code_index(299)), "2xx");
    }

    #[test]
    fn every_method_has_a_number_and_a_name() {
        for method in METHODS {
            assert_eq!(method_label(method_index(&method)), method.as_str());
        }
        let own = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(method_label(method_index(&own)), "other");
    }

    #[test]
    fn values_are_at_their_numbers() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
        }
        for (number, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }
}
