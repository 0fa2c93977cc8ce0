//! Label values: reasons, kinds, methods and status codes.

use http::Method;

/// Defines an enum of label values.
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
            /// All variants in the order of their discriminants.
            pub const ALL: [Self; [$($value),*].len()] = [$(Self::$variant),*];

            /// The label value.
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
    /// The reason why a request or a connection was rejected.
    Reason {
        /// The limit of open connections was reached (503).
        Connections = "connections",
        /// The wait queue of the function was full (503).
        QueueFull = "queue_full",
        /// The request exceeded the queue timeout (503).
        QueueTimeout = "queue_timeout",
        /// The memory limit of the process was exceeded (503).
        Memory = "memory",
        /// The head was not complete within its timeout (408).
        HeaderTimeout = "header_timeout",
        /// The body was slower than the minimum rate (408).
        BodyTimeout = "body_timeout",
        /// The body ended early, or its framing was invalid (400).
        BodyBroken = "body_broken",
        /// The body exceeded its limit (413).
        BodyTooLarge = "body_too_large",
        /// The request target exceeded its limit (414).
        TargetTooLong = "target_too_long",
        /// The head exceeded its limit of bytes or fields (431).
        HeaderTooLarge = "header_too_large",
        /// The request was malformed or ambiguous (400).
        Malformed = "malformed",
        /// The server does not support the method, transfer coding or HTTP version (501, 505).
        Unsupported = "unsupported",
        /// The server does not support the value of `Expect` (417).
        Expectation = "expectation",
        /// The request matched no function (404).
        NoRoute = "no_route",
        /// The function was paused (503).
        Paused = "paused",
        /// The function was not loaded yet (503).
        Loading = "loading",
    }
}

label! {
    /// The kind of a guest failure.
    FailureKind {
        /// The guest trapped, or could not be started.
        Trap = "trap",
        /// The guest exceeded a timeout.
        Timeout = "timeout",
        /// The guest exceeded its CPU time limit.
        Cpu = "cpu",
        /// The guest trapped after a growth of a memory or table was denied.
        Memory = "memory",
        /// The guest returned without a response.
        NoResponse = "no_response",
        /// The guest set an error instead of a response.
        ErrorResponse = "error_response",
        /// The guest ended its response before it was complete.
        BrokenResponse = "broken_response",
        /// The audit log did not accept a record of the guest.
        AuditUnavailable = "unaudited",
    }
}

label! {
    /// An error that ended or prevented a connection.
    ConnectionError {
        /// The system call `accept` failed, for example because file descriptors were exhausted.
        Accept = "accept",
        /// The TLS handshake failed or timed out.
        Tls = "tls",
        /// The client violated HTTP in a way that gets no response.
        Protocol = "protocol",
        /// The client read nothing of a response within the write timeout.
        WriteTimeout = "write_timeout",
        /// The connection was lost during a request or a response.
        Lost = "lost",
    }
}

/// The methods with their own label value. All others share one.
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

/// The number of method indices.
pub(super) const METHOD_COUNT: usize = METHODS.len() + 1;

/// The index of a method.
pub(super) fn method_index(method: &Method) -> usize {
    let known = METHODS.iter().position(|known| known == method);
    known.unwrap_or(METHODS.len())
}

/// The label value of a method index.
pub(super) fn method_label(index: usize) -> &'static str {
    const NAMES: [&str; METHOD_COUNT] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "other",
    ];
    NAMES[index]
}

/// The status of a request whose client closed it before the response. It is never sent; web
/// servers log it.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The status codes with their own label value: the registered ones and [`CLIENT_CLOSED_REQUEST`].
/// All others, which a guest may send, share one value per class.
#[rustfmt::skip]
const CODES: [u16; 63] = [
    100, 101, 102, 103, 104, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303,
    304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414,
    415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, CLIENT_CLOSED_REQUEST, 500,
    501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
];

const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// The number of status code indices.
pub(super) const CODE_COUNT: usize = CODES.len() + CLASSES.len();

/// The index of a status code.
pub(super) fn code_index(code: u16) -> usize {
    CODES.binary_search(&code).unwrap_or_else(|_| {
        let class = usize::from(code / 100).wrapping_sub(1);
        CODES.len() + class.min(CLASSES.len() - 1)
    })
}

/// The label value of a status code index.
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
    fn every_status_code_has_an_index_and_a_label() {
        assert!(CODES.is_sorted());
        for code in 100..1000 {
            let index = code_index(code);
            assert!(index < CODE_COUNT);
            let label = code_label(index);
            let is_labelled = label == code.to_string()
                || label == format!("{}xx", code / 100)
                || (code >= 600 && label == "other");
            assert!(is_labelled, "{code}: {label}");
        }
        assert_eq!(code_label(code_index(404)), "404");
        assert_eq!(code_label(code_index(299)), "2xx");
    }

    #[test]
    fn every_method_has_its_label_or_other() {
        for method in METHODS {
            assert_eq!(method_label(method_index(&method)), method.as_str());
        }
        let unknown = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(method_label(method_index(&unknown)), "other");
    }

    #[test]
    fn all_is_in_the_order_of_the_discriminants() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        for (index, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
