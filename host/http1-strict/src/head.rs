//! The head of a request and the framing of its body.

use http::header::HeaderName;

use crate::Violation;
use crate::authority::is_host;
use crate::field::{Field, is_token};
use crate::target::check_target;

/// Limits of a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageLimits {
    /// Bytes of the whole head.
    pub head_bytes: usize,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Bytes of the target.
    pub target_bytes: usize,
    /// Number of fields.
    pub fields: usize,
}

/// How the body of a message is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// This number of bytes follows.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

/// The facts about an accepted head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) framing: BodyFraming,
    /// Offset of the minor version, if it is above 1.
    pub(crate) later_version_at: Option<usize>,
    /// Whether the head has an `Upgrade` field.
    pub(crate) has_upgrade: bool,
}

/// Checks `head`, from the first byte of the request line to the empty line at its end. Each line
/// must end with CRLF and contain no other line feed.
pub(crate) fn check(head: &[u8], limits: MessageLimits) -> Result<Head, Violation> {
    let mut lines = Lines(head);
    let line = lines.next().unwrap_or_default();
    let version = check_request_line(line, limits.target_bytes)?;
    let mut known = Known::default();
    let mut count = 0;
    for line in lines {
        count += 1;
        if count > limits.fields {
            return Err(Violation::HeadTooLarge);
        }
        known.add(Field::parse(line)?)?;
    }
    known.check_host(version)?;
    Ok(Head {
        framing: known.framing(version)?,
        later_version_at: (version > b'1').then(|| line.len() - 1),
        has_upgrade: known.has_upgrade,
    })
}

/// The name that replaces `Upgrade` in accepted heads. An HTTP library must not see that field: hyper
/// hands the connection over for an upgrade, without flush and shutdown, and this server has no
/// other protocol. Remove the field before the request is used.
pub const HIDDEN_UPGRADE: HeaderName = HeaderName::from_static("upgrad~");

/// Renames the `Upgrade` fields of an accepted head to [`HIDDEN_UPGRADE`].
pub(super) fn hide_upgrade(head: &mut [u8]) {
    const NAME: &[u8] = b"upgrade:";

    for line in head.split_mut(|&byte| byte == b'\n') {
        if let Some(name) = line.get_mut(..NAME.len())
            && name.eq_ignore_ascii_case(NAME)
        {
            name[..NAME.len() - 1].copy_from_slice(HIDDEN_UPGRADE.as_str().as_bytes());
        }
    }
}

/// The lines of a head, without their CRLF, up to the empty line.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\n', self.0)?;
        let line = self.0[..end].strip_suffix(b"\r")?;
        self.0 = &self.0[end + 1..];
        (!line.is_empty()).then_some(line)
    }
}

/// The first line of `head`, without its CRLF.
pub(super) fn request_line(head: &[u8]) -> Option<&[u8]> {
    Lines(head).next()
}

/// Checks `METHOD SP TARGET SP HTTP/1.x` (RFC 9112, section 3). Returns the digit x.
fn check_request_line(line: &[u8], max_target_bytes: usize) -> Result<u8, Violation> {
    const MALFORMED: Violation = Violation::Malformed("malformed request line");

    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(MALFORMED);
    };
    if !is_token(method) {
        return Err(MALFORMED);
    }
    let version = match version {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            minor @ b'0'..=b'9',
        ] => *minor,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Violation::Version);
        }
        _ => return Err(MALFORMED),
    };
    if target.len() > max_target_bytes {
        return Err(Violation::TargetTooLong);
    }
    if method == b"CONNECT" {
        return Err(Violation::NotImplemented("CONNECT is not supported"));
    }
    check_target(method, target)?;
    Ok(version)
}

/// The fields that determine the end of a message and its host.
#[derive(Default)]
struct Known<'a> {
    hosts: usize,
    content_length: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
    has_upgrade: bool,
}

impl<'a> Known<'a> {
    fn add(&mut self, field: Field<'a>) -> Result<(), Violation> {
        // The length of the name sorts most other fields out.
        match field.name.len() {
            4 if field.is("host") => {
                self.hosts += 1;
                if !is_host(field.value) {
                    return Err(Violation::Malformed("invalid Host header"));
                }
            }
            6 if field.is("expect") && !field.value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(Violation::Expectation);
            }
            7 if field.is("upgrade") => self.has_upgrade = true,
            14 if field.is("content-length")
                && self.content_length.replace(field.value).is_some() =>
            {
                return Err(Violation::Malformed("duplicate Content-Length header"));
            }
            17 if field.is("transfer-encoding")
                && self.transfer_encoding.replace(field.value).is_some() =>
            {
                return Err(Violation::Malformed("duplicate Transfer-Encoding header"));
            }
            _ => {}
        }
        Ok(())
    }

    /// A request has exactly one `Host` (RFC 9112, section 3.2), or none in HTTP/1.0.
    fn check_host(&self, version: u8) -> Result<(), Violation> {
        match (self.hosts, version) {
            (1, _) | (0, b'0') => Ok(()),
            (0, _) => Err(Violation::Malformed("missing Host header")),
            _ => Err(Violation::Malformed("duplicate Host header")),
        }
    }

    /// The framing of the body (RFC 9112, section 6.3).
    fn framing(&self, version: u8) -> Result<BodyFraming, Violation> {
        match (self.transfer_encoding, self.content_length) {
            (None, None) => Ok(BodyFraming::Length(0)),
            (None, Some(length)) => match decimal(length) {
                // hyper counts in this range.
                Some(length) if length > i64::MAX as u64 => Err(Violation::BodyTooLarge),
                Some(length) => Ok(BodyFraming::Length(length)),
                None => Err(Violation::Malformed("invalid Content-Length header")),
            },
            (Some(_), Some(_)) => Err(Violation::Malformed(
                "both Content-Length and Transfer-Encoding are present",
            )),
            (Some(_), None) if version == b'0' => Err(Violation::Malformed(
                "Transfer-Encoding is not allowed in HTTP/1.0",
            )),
            (Some(codings), None) => check_codings(codings).map(|()| BodyFraming::Chunked),
        }
    }
}

/// Checks that `chunked` is the only transfer coding.
fn check_codings(codings: &[u8]) -> Result<(), Violation> {
    if codings.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let mut names = codings
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .rev();
    let last_is_chunked = names
        .next()
        .is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let mut others = names.peekable();
    // The end of the body is undefined unless `chunked` is the last coding.
    let is_clear = last_is_chunked
        && others.peek().is_some()
        && others.all(|name| is_token(name) && !name.eq_ignore_ascii_case(b"chunked"));
    if is_clear {
        Err(Violation::NotImplemented(
            "the only supported transfer coding is chunked",
        ))
    } else {
        Err(Violation::Malformed("invalid Transfer-Encoding header"))
    }
}

/// A decimal number without a sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MessageLimits = MessageLimits {
        head_bytes: 1000,
        body_bytes: 1000,
        target_bytes: 20,
        fields: 4,
    };

    fn framing(fields: &str) -> Result<BodyFraming, Violation> {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        check(head.as_bytes(), LIMITS).map(|head| head.framing)
    }

    fn line(line: &str) -> Result<Head, Violation> {
        check(format!("{line}\r\nhost: a\r\n\r\n").as_bytes(), LIMITS)
    }

    fn status(violation: Violation) -> u16 {
        violation.status().as_u16()
    }

    #[test]
    fn ambiguous_body_framing_is_rejected() {
        assert_eq!(framing(""), Ok(BodyFraming::Length(0)));
        assert_eq!(
            framing("content-length: 007\r\n"),
            Ok(BodyFraming::Length(7))
        );
        let chunked = framing("Transfer-Encoding: Chunked\r\n");
        assert_eq!(chunked, Ok(BodyFraming::Chunked));
        for (fields, expected) in [
            ("content-length: 1\r\ntransfer-encoding: chunked\r\n", 400),
            ("content-length: 1\r\ncontent-length: 1\r\n", 400),
            ("content-length: 1, 1\r\n", 400),
            ("content-length: +1\r\n", 400),
            ("content-length: 0x1\r\n", 400),
            ("content-length:\r\n", 400),
            ("content-length: 18446744073709551616\r\n", 400),
            ("transfer-encoding: gzip\r\n", 400),
            ("transfer-encoding: xchunked\r\n", 400),
            ("transfer-encoding: gzip, chunked\r\n", 501),
            ("transfer-encoding: chunked, gzip\r\n", 400),
            ("transfer-encoding: chunked, chunked\r\n", 400),
            ("transfer-encoding: \"chunked\"\r\n", 400),
            ("transfer-encoding:\r\n", 400),
            (
                "transfer-encoding: chunked\r\ntransfer-encoding: a\r\n",
                400,
            ),
        ] {
            let found = framing(fields).map_err(status);
            assert_eq!(found, Err(expected), "{fields}");
        }
    }

    #[test]
    fn a_request_line_has_a_single_form() {
        for good in [
            "GET / HTTP/1.1",
            "get /a?b HTTP/1.0",
            "OPTIONS * HTTP/1.1",
            "G http://a/ HTTP/1.1",
        ] {
            assert!(line(good).is_ok(), "{good}");
        }
        assert_eq!(line("GET / HTTP/1.3").unwrap().later_version_at, Some(13));
        for (bad, expected) in [
            ("GET /", 400),
            ("GET  / HTTP/1.1", 400),
            ("GET / HTTP/1.1 ", 400),
            ("GET\t/ HTTP/1.1", 400),
            ("GET / http/1.1", 400),
            ("GET / HTTP/1.10", 400),
            ("GET / HTTP/2.0", 505),
            ("GET * HTTP/1.1", 400),
            ("GET a HTTP/1.1", 400),
            ("GET /\u{e9} HTTP/1.1", 400),
            ("GET /a#b HTTP/1.1", 400),
            ("G(T / HTTP/1.1", 400),
            ("CONNECT a:1 HTTP/1.1", 501),
            ("GET /23456789012345678901 HTTP/1.1", 414),
        ] {
            assert_eq!(line(bad).map_err(status), Err(expected), "{bad}");
        }
    }

    #[test]
    fn missing_duplicate_and_invalid_host_are_rejected() {
        let check = |head: &str| check(head.as_bytes(), LIMITS).map_err(status);
        assert!(check("GET / HTTP/1.0\r\n\r\n").is_ok());
        assert_eq!(check("GET / HTTP/1.1\r\n\r\n").unwrap_err(), 400);
        for hosts in [
            "host: a\r\nHost: a",
            "host:",
            "host: a b",
            "host: a/b",
            "host: a@b",
        ] {
            let head = format!("GET / HTTP/1.1\r\n{hosts}\r\n\r\n");
            assert_eq!(check(&head).unwrap_err(), 400, "{hosts}");
        }
    }

    #[test]
    fn more_fields_than_the_limit_are_rejected() {
        assert!(framing("a: 1\r\nb: 2\r\nc: 3\r\n").is_ok());
        let many = framing("a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n");
        assert_eq!(many, Err(Violation::HeadTooLarge));
    }
}
