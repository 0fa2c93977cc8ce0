//! HTTP/2 at the level of frames, including invalid ones.
//!
//! - this file: [`Frame`], and the names of types and codes.
//! - [`Client`]: sends bytes, and reads the actions of the server.
//! - [`hpack`]: encoding of header fields.

mod client;
pub mod hpack;

pub use client::{Client, Event};

use crate::client::Request;

/// The connection preface (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Flag of DATA and HEADERS: the end of the stream.
pub const END_STREAM: u8 = 0x1;
/// Flag of SETTINGS and PING: an acknowledgement.
pub const ACK: u8 = 0x1;
/// Flag of HEADERS and CONTINUATION: the end of the fields.
pub const END_HEADERS: u8 = 0x4;
/// Flag of DATA and HEADERS: padding follows the payload.
pub const PADDED: u8 = 0x8;
/// Flag of HEADERS: a priority precedes the fields.
pub const PRIORITY: u8 = 0x20;

/// The types of frames, by their numbers (RFC 9113, section 6).
pub const TYPES: [&str; 10] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
];

/// The error codes, by their numbers (RFC 9113, section 7).
pub const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The number of its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// The stream that it belongs to, or 0.
    pub stream: u32,
    /// Its payload.
    pub payload: Vec<u8>,
    /// The length on the wire, if that differs from the payload.
    pub length: Option<u32>,
}

impl Frame {
    /// A frame of the type with this name.
    #[must_use]
    pub fn new(kind: &str, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        let number = TYPES.iter().position(|name| *name == kind);
        Self {
            kind: number
                .and_then(|number| u8::try_from(number).ok())
                .expect("the name of a type"),
            flags,
            stream,
            payload: payload.into(),
            length: None,
        }
    }

    /// The frame on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let real = u32::try_from(self.payload.len()).expect("a payload of a test");
        let length = self.length.unwrap_or(real);
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    fn is(&self, kind: &str) -> bool {
        TYPES.get(usize::from(self.kind)) == Some(&kind)
    }
}

/// The name of a code.
#[must_use]
pub fn code_name(code: u32) -> String {
    let known = usize::try_from(code).ok().and_then(|code| CODES.get(code));
    known.map_or_else(|| format!("code {code}"), |name| (*name).to_owned())
}

/// The preface and the first SETTINGS of a client.
#[must_use]
pub fn begin() -> Vec<u8> {
    [PREFACE, &Frame::new("SETTINGS", 0, 0, []).bytes()].concat()
}

/// A POST of this body, as JSON, on this stream.
#[must_use]
pub fn post(stream: u32, path: &str, body: &str) -> Vec<u8> {
    let length = body.len().to_string();
    let fields = [
        ("content-type", "application/json"),
        ("content-length", &length),
    ];
    let data = Frame::new("DATA", END_STREAM, stream, body);
    [head(stream, "POST", path, &fields, 0), data.bytes()].concat()
}

/// This request on this stream, without `host`, whose place is taken by `:authority`.
#[must_use]
pub fn request(stream: u32, request: &Request) -> Vec<u8> {
    let fields: Vec<_> = request
        .fields()
        .filter(|(name, _)| *name != "host")
        .collect();
    let flags = if request.content().is_empty() {
        END_STREAM
    } else {
        0
    };
    let mut bytes = head(stream, request.method(), request.target(), &fields, flags);
    if flags == 0 {
        bytes.extend(Frame::new("DATA", END_STREAM, stream, request.content()).bytes());
    }
    bytes
}

/// The trailers of a request on this stream, which end it.
#[must_use]
pub fn trailers(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let all: Vec<_> = fields
        .iter()
        .flat_map(|(name, value)| hpack::literal(name.as_bytes(), value.as_bytes()))
        .collect();
    Frame::new("HEADERS", END_HEADERS | END_STREAM, stream, all).bytes()
}

/// The head of a request on this stream, in one frame with these additional flags.
#[must_use]
pub fn head(stream: u32, method: &str, path: &str, fields: &[(&str, &str)], flags: u8) -> Vec<u8> {
    let named = [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "test"),
    ];
    let all = named.iter().chain(fields);
    let all: Vec<_> = all
        .flat_map(|(name, value)| hpack::literal(name.as_bytes(), value.as_bytes()))
        .collect();
    Frame::new("HEADERS", END_HEADERS | flags, stream, all).bytes()
}
