//! Whether the head of a request is what it should be.

use http::header::HeaderName;

use super::field::{Field, is_token};
use super::target::check_target;
use crate::server::Refusal;
use crate::server::authority::is_host;

/// The limits on a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageLimits {
    /// Bytes of the whole head.
    pub(crate) head_bytes: usize,
    /// Bytes of the body.
    pub(crate) body_bytes: u64,
    /// Bytes of the target.
    pub(crate) target_bytes: usize,
    /// Fields.
    pub(crate) fields: usize,
}

/// How the body of a message is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

/// What there is to know of a head that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) framing: BodyFraming,
    /// Where the last digit of the version is, if it is not one that hyper knows.
    pub(crate) later_version_at: Option<usize>,
    /// Whether it asks for another protocol.
    pub(crate) has_upgrade: bool,
}

/// Checks `head`, from the first byte of the request line to the empty line at the end. All
/// lines are known to end with CRLF, and none has another line feed in it.
///
/// # Errors
///
/// Returns how the request has to be answered.
pub(crate) fn check(head: &[u8], limits: MessageLimits) -> Result<Head, Refusal> {
    let mut lines = Lines(head);
    let line = lines.next().unwrap_or_default();
    let version = check_request_line(line, limits.target_bytes)?;
    let mut known = Known::default();
    let mut count = 0;
    for line in lines {
        count += 1;
        if count > limits.fields {
            return Err(Refusal::HeadTooLarge);
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

/// What is made of the name `upgrade`.
pub(in crate::server) const HIDDEN_UPGRADE: HeaderName = HeaderName::from_static("upgrad~");

/// Hides that `head`, which has been checked, asks for another protocol. This server has
/// none, and hyper would leave the connection to somebody who has, in the middle of what
/// there is to send.
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

/// The lines of a head, without their CRLF, up to the empty one.
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

/// Checks `METHOD SP TARGET SP HTTP/1.x` (RFC 9112, section 3), and returns x.
fn check_request_line(line: &[u8], max_target_bytes: usize) -> Result<u8, Refusal> {
    const MALFORMED: Refusal = Refusal::Malformed("the request line is malformed");

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
            return Err(Refusal::Version);
        }
        _ => return Err(MALFORMED),
    };
    if target.len() > max_target_bytes {
        return Err(Refusal::TargetTooLong);
    }
    if method == b"CONNECT" {
        return Err(Refusal::NotImplemented("this server is no tunnel"));
    }
    check_target(method, target)?;
    Ok(version)
}

/// The fields on which it depends where a message ends, and who gets it.
#[derive(Default)]
struct Known<'a> {
    hosts: usize,
    content_length: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
    has_upgrade: bool,
}

impl<'a> Known<'a> {
    fn add(&mut self, field: Field<'a>) -> Result<(), Refusal> {
        // Most fields are none of these, and their lengths tell.
        match field.name.len() {
            4 if field.is("host") => {
                self.hosts += 1;
                if !is_host(field.value) {
                    return Err(Refusal::Malformed("the field `host` is invalid"));
                }
            }
            6 if field.is("expect") && !field.value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(Refusal::Expectation);
            }
            7 if field.is("upgrade") => self.has_upgrade = true,
            14 if field.is("content-length")
                && self.content_length.replace(field.value).is_some() =>
            {
                return Err(Refusal::Malformed("there are two `content-length`"));
            }
            17 if field.is("transfer-encoding")
                && self.transfer_encoding.replace(field.value).is_some() =>
            {
                return Err(Refusal::Malformed("there are two `transfer-encoding`"));
            }
            _ => {}
        }
        Ok(())
    }

    /// A request names its host once (RFC 9112, section 3.2), unless it is of HTTP/1.0.
    fn check_host(&self, version: u8) -> Result<(), Refusal> {
        match (self.hosts, version) {
            (1, _) | (0, b'0') => Ok(()),
            (0, _) => Err(Refusal::Malformed("the field `host` is missing")),
            _ => Err(Refusal::Malformed("there are two `host`")),
        }
    }

    /// How long the body is (RFC 9112, section 6.3).
    fn framing(&self, version: u8) -> Result<BodyFraming, Refusal> {
        match (self.transfer_encoding, self.content_length) {
            (None, None) => Ok(BodyFraming::Length(0)),
            (None, Some(length)) => match decimal(length) {
                // More than hyper can count.
                Some(length) if length > i64::MAX as u64 => Err(Refusal::BodyTooLarge),
                Some(length) => Ok(BodyFraming::Length(length)),
                None => Err(Refusal::Malformed("the field `content-length` is invalid")),
            },
            (Some(_), Some(_)) => Err(Refusal::Malformed(
                "there are both `content-length` and `transfer-encoding`",
            )),
            (Some(_), None) if version == b'0' => {
                Err(Refusal::Malformed("HTTP/1.0 knows no `transfer-encoding`"))
            }
            (Some(codings), None) => check_codings(codings).map(|()| BodyFraming::Chunked),
        }
    }
}

/// Checks that a body is chunked and nothing else.
fn check_codings(codings: &[u8]) -> Result<(), Refusal> {
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
    // Without `chunked` at the end nobody can tell where the body ends.
    let is_clear = last_is_chunked
        && others.peek().is_some()
        && others.all(|name| is_token(name) && !name.eq_ignore_ascii_case(b"chunked"));
    if is_clear {
        Err(Refusal::NotImplemented(
            "the only coding of a body that is known is chunked",
        ))
    } else {
        Err(Refusal::Malformed(
            "the field `transfer-encoding` is invalid",
        ))
    }
}

/// A number of digits alone.
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

    fn framing(fields: &str) -> Result<BodyFraming, Refusal> {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        check(head.as_bytes(), LIMITS).map(|head| head.framing)
    }

    fn line(line: &str) -> Result<Head, Refusal> {
        check(format!("{line}\r\nhost: a\r\n\r\n").as_bytes(), LIMITS)
    }

    fn status(refusal: Refusal) -> u16 {
        refusal.response().0.as_u16()
    }

    #[test]
    fn a_body_is_framed_in_one_way() {
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
    fn there_is_one_form_of_a_request_line() {
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
    fn a_request_names_its_host_once() {
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
    fn a_head_may_not_have_more_fields_than_allowed() {
        assert!(framing("a: 1\r\nb: 2\r\nc: 3\r\n").is_ok());
        let many = framing("a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n");
        assert_eq!(many, Err(Refusal::HeadTooLarge));
    }
}
