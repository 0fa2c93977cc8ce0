//! The header `traceparent` (W3C Trace Context, section 3.2).
//!
//! `TraceContextPropagator` of `opentelemetry_sdk` is not used: it accepts ids of any length, as in
//! `00-1-1-1`, and the first of several headers. Audit records promise a valid trace id.

use http::HeaderMap;
use http::header::HeaderName;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// A valid `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace: all requests that follow from the same first one.
    pub trace_id: [u8; 16],
    /// The span of the sender.
    pub parent_id: [u8; 8],
    /// The trace flags. Bit 0, sampled: the sender has recorded its span.
    pub flags: u8,
}

impl TraceParent {
    /// The value of the header, if the request has exactly one and it is valid.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACE_PARENT).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Self::parse(value.as_bytes()),
            _ => None,
        }
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let mut fields = value.split(|&byte| byte == b'-');
        let [version]: [u8; 1] = decode_hex(fields.next()?)?;
        let trace_id = decode_hex(fields.next()?)?;
        let parent_id = decode_hex(fields.next()?)?;
        let [flags] = decode_hex(fields.next()?)?;
        // Only versions above 0 may have more fields. Version 0xff is invalid.
        let is_valid = version != 0xff
            && (version != 0 || fields.next().is_none())
            && trace_id != [0; 16]
            && parent_id != [0; 8];
        is_valid.then_some(Self {
            trace_id,
            parent_id,
            flags,
        })
    }

    /// The trace id as hexadecimal text.
    pub fn trace_id_text(&self) -> String {
        const_hex::encode(self.trace_id)
    }

    /// Whether the sender has recorded its span.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

/// Bytes from exactly `2 * N` lower-case hexadecimal digits. [`const_hex`] also accepts capitals and
/// a prefix.
fn decode_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let is_canonical = digits.len() == 2 * N && !digits.iter().any(u8::is_ascii_uppercase);
    let decode = || const_hex::decode_to_array(digits).ok();
    is_canonical.then(decode).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn parse(values: &[&str]) -> Option<TraceParent> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().unwrap());
        }
        TraceParent::of(&headers)
    }

    #[test]
    fn only_a_single_valid_traceparent_is_parsed() {
        let valid = format!("00-{ID}-00f067aa0ba902b7-01");
        let parsed = parse(&[&valid]).unwrap();
        assert_eq!(parsed.trace_id_text(), ID);
        assert_eq!(
            parsed.parent_id,
            [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]
        );
        assert!(parsed.is_sampled());
        assert_eq!(
            parse(&[&format!("01-{ID}-00f067aa0ba902b7-01-more")]),
            Some(parsed)
        );
        for invalid in [
            "",
            "00",
            &valid[1..],
            &valid.to_uppercase(),
            &format!("{valid}-more"),
            &valid.replace("00-4", "ff-4"),
            &valid.replace(ID, &"0".repeat(32)),
            &valid.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &valid.replace("00-4", "00-0x4"),
            &valid.replace('4', "\t"),
        ] {
            assert_eq!(parse(&[invalid]), None, "{invalid}");
        }
        assert_eq!(parse(&[&valid, &valid]), None);
    }

    #[test]
    fn bit_0_of_the_flags_means_sampled() {
        let parse = |flags| parse(&[&format!("00-{ID}-00f067aa0ba902b7-{flags}")]).unwrap();
        assert!(!parse("00").is_sampled());
        assert!(!parse("02").is_sampled());
        assert!(parse("03").is_sampled());
    }
}
