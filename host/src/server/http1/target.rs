//! The target of a request: its form, and its characters.

use http::Uri;

use crate::server::Refusal;
use crate::server::authority::is_host;

/// Checks the form of a target (RFC 9112, section 3.2) and its characters.
pub(super) fn check_target(method: &[u8], target: &[u8]) -> Result<(), Refusal> {
    let is_absolute = |scheme: &[u8]| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let has_form = match target {
        [b'/', ..] => true,
        b"*" => method == b"OPTIONS",
        _ => (is_absolute(b"http://") || is_absolute(b"https://")) && names_host(target),
    };
    // Some of what a URI may not have is often sent all the same, and `Uri` takes it. The rest
    // was encoded before. A fragment is not allowed.
    let (path, query) = target.split_at(memchr::memchr(b'?', target).unwrap_or(target.len()));
    let is_allowed = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'#';
    let is_good = |part: &[u8], taken: fn(u8) -> bool| {
        part.iter().all(|&byte| is_allowed(byte) && taken(byte))
    };
    if has_form && is_good(path, is_taken_in_path) && is_good(query, is_taken_in_query) {
        Ok(())
    } else {
        Err(Refusal::Malformed("the target of the request is invalid"))
    }
}

/// Whether [`Uri`] takes this visible character in a path.
fn is_taken_in_path(byte: u8) -> bool {
    !matches!(byte, b'<' | b'>' | b'`')
}

/// Whether it takes it in a query.
fn is_taken_in_query(byte: u8) -> bool {
    !matches!(byte, b'"' | b'<' | b'>')
}

/// A request line in the place of the one that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewLine {
    /// The length of the line that has come, in bytes.
    old_bytes: usize,
    new: Vec<u8>,
}

impl NewLine {
    /// `bytes`, which begin with the old line, with the new one in its place.
    pub(crate) fn replace_in(&self, bytes: &[u8]) -> Vec<u8> {
        [&self.new, &bytes[self.old_bytes..]].concat()
    }
}

/// Percent-encodes the characters of the target of a request line that [`Uri`] takes in no
/// other form (RFC 3986, section 2.1), such as the quotes in `/x?j={"a":1}`. None if there are
/// none.
pub(super) fn encode_target(line: &[u8]) -> Option<NewLine> {
    let start = memchr::memchr(b' ', line)? + 1;
    let length = memchr::memchr(b' ', &line[start..])?;
    let target = &line[start..start + length];
    // What is before the path names the host.
    let scheme = memchr::memmem::find(target, b"://").filter(|_| !target.starts_with(b"/"));
    let host = scheme.map_or(0, |at| at + b"://".len());
    let path = host
        + target[host..]
            .iter()
            .position(|byte| b"/?".contains(byte))?;

    let mut new = line[..start + path].to_vec();
    let mut is_taken: fn(u8) -> bool = is_taken_in_path;
    for &byte in &target[path..] {
        if byte == b'?' {
            is_taken = is_taken_in_query;
        }
        if is_taken(byte) {
            new.push(byte);
        } else {
            new.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    new.extend_from_slice(&line[start + length..]);
    (new.len() > line.len()).then_some(NewLine {
        old_bytes: line.len(),
        new,
    })
}

/// Whether a target with a scheme names a host.
fn names_host(target: &[u8]) -> bool {
    let authority = Uri::try_from(target)
        .ok()
        .and_then(|uri| uri.into_parts().authority);
    authority.is_some_and(|authority| is_host(authority.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::head::{MessageLimits, check, request_line};
    use super::*;

    const LIMITS: MessageLimits = MessageLimits {
        head_bytes: 1000,
        body_bytes: 1000,
        target_bytes: 100,
        fields: 4,
    };

    #[test]
    fn every_character_of_a_target_is_refused_encoded_or_taken_as_it_is() {
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
