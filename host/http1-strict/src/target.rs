//! Form and characters of a request target.

use http::Uri;

use crate::Violation;
use crate::authority::is_host;

/// Checks the form of a target (RFC 9112, section 3.2) and its characters.
pub(super) fn check_target(method: &[u8], target: &[u8]) -> Result<(), Violation> {
    let is_absolute = |scheme: &[u8]| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let has_form = match target {
        [b'/', ..] => true,
        b"*" => method == b"OPTIONS",
        _ => (is_absolute(b"http://") || is_absolute(b"https://")) && names_host(target),
    };
    // Clients send some characters that URIs do not allow, and `Uri` accepts these. The others
    // are percent-encoded by then. Fragments are not allowed.
    let (path, query) = target.split_at(memchr::memchr(b'?', target).unwrap_or(target.len()));
    let is_allowed = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'#';
    let is_good = |part: &[u8], accepts: fn(u8) -> bool| {
        part.iter().all(|&byte| is_allowed(byte) && accepts(byte))
    };
    if has_form && is_good(path, is_accepted_in_path) && is_good(query, is_accepted_in_query) {
        Ok(())
    } else {
        Err(Violation::Malformed("invalid request target"))
    }
}

/// Whether [`Uri`] accepts this visible character in a path.
fn is_accepted_in_path(byte: u8) -> bool {
    !matches!(byte, b'<' | b'>' | b'`')
}

/// Whether [`Uri`] accepts this visible character in a query.
fn is_accepted_in_query(byte: u8) -> bool {
    !matches!(byte, b'"' | b'<' | b'>')
}

/// A rewritten request line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// Length of the received line in bytes.
    received_bytes: usize,
    line: Vec<u8>,
}

impl RequestLine {
    /// Replaces the received line, with which `bytes` begin.
    #[must_use]
    pub fn replace_in(&self, bytes: &[u8]) -> Vec<u8> {
        [&self.line, &bytes[self.received_bytes..]].concat()
    }
}

/// Percent-encodes the characters of the request target that [`Uri`] rejects (RFC 3986, section
/// 2.1), such as the quotes in `/x?j={"a":1}`. Returns None if all are accepted.
pub(super) fn encode_target(line: &[u8]) -> Option<RequestLine> {
    let start = memchr::memchr(b' ', line)? + 1;
    let length = memchr::memchr(b' ', &line[start..])?;
    let target = &line[start..start + length];
    // The authority before the path stays as it is.
    let scheme = memchr::memmem::find(target, b"://").filter(|_| !target.starts_with(b"/"));
    let host = scheme.map_or(0, |at| at + b"://".len());
    let path = host
        + target[host..]
            .iter()
            .position(|byte| b"/?".contains(byte))?;

    let mut new = line[..start + path].to_vec();
    let mut is_accepted: fn(u8) -> bool = is_accepted_in_path;
    for &byte in &target[path..] {
        if byte == b'?' {
            is_accepted = is_accepted_in_query;
        }
        if is_accepted(byte) {
            new.push(byte);
        } else {
            new.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    new.extend_from_slice(&line[start + length..]);
    (new.len() > line.len()).then_some(RequestLine {
        received_bytes: line.len(),
        line: new,
    })
}

/// Whether a target in absolute form names a valid host.
fn names_host(target: &[u8]) -> bool {
    let authority = Uri::try_from(target)
        .ok()
        .and_then(|uri| uri.into_parts().authority);
    authority.is_some_and(|authority| is_host(authority.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::{MessageLimits, check, request_line};

    const LIMITS: MessageLimits = MessageLimits {
        head_bytes: 1000,
        body_bytes: 1000,
        target_bytes: 100,
        fields: 4,
    };

    #[test]
    fn each_character_of_a_target_is_rejected_encoded_or_accepted() {
        for byte in b'!'..=b'~' {
            for before in ["/a", "/a?b", "http://h/a", "http://h?b"] {
                let target = format!("{before}{}", char::from(byte));
                let head = format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n");
                let new = encode_target(request_line(head.as_bytes()).unwrap());
                let head = match &new {
                    Some(line) => line.replace_in(head.as_bytes()),
                    None => head.into_bytes(),
                };
                let is_good = check(&head, LIMITS).is_ok();
                assert_eq!(is_good, byte != b'#', "{target}");
                let target = head.split(|&byte| byte == b' ').nth(1).unwrap();
                assert!(!is_good || Uri::try_from(target).is_ok(), "{target:?}");
                let found = target.ends_with(&[byte]);
                let encoded = target.ends_with(format!("%{byte:02X}").as_bytes());
                assert!(found != encoded && encoded == new.is_some(), "{target:?}");
            }
        }
        for host in ["http://h<b>/", "http://\"/a"] {
            let head = format!("GET {host} HTTP/1.1\r\nhost: h\r\n\r\n");
            assert_eq!(
                encode_target(request_line(head.as_bytes()).unwrap()),
                None,
                "{host}"
            );
        }
    }
}
