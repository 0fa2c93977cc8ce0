//! What a line of the access log looks like.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Version;
use jiff::Timestamp;

/// How much of a path is logged, in bytes.
const MAX_PATH_BYTES: usize = 2048;

/// How much of any other text is logged, in bytes.
const MAX_TEXT_BYTES: usize = 512;

/// What is known of a request that is over.
///
/// As a line it has the combined format of web servers, and at its end the id of the
/// request and how long it took, in microseconds:
///
/// ```text
/// 192.0.2.7 - alice [10/Oct/2025:13:55:36 +0000] "GET /a HTTP/1.1" 200 2326 "-" "curl/8.9" 3f9a6c1e-000000000000002a 812
/// ```
///
/// Where one server has many functions, the name of the one that got the request follows,
/// with `@` and the first 12 digits of its version. What is not known is `-`. The query of the target is left out, because secrets travel
/// in it. No text can end its field or the line: in all of them, quotes, backslashes,
/// control characters and bytes outside of ASCII are written as `\"`, `\\` or `\xHH`.
/// What is too long is cut off, and ends with `...`.
pub struct Line<'a> {
    /// The other end of the connection.
    pub peer: Option<IpAddr>,
    /// Who was authenticated.
    pub user: Option<&'a str>,
    /// When the request came.
    pub time: SystemTime,
    /// The first line of the request, if it could be read.
    pub request: Option<RequestLine<'a>>,
    /// The code of the response.
    pub status: u16,
    /// How many bytes of a body were sent, as the guest wrote them.
    pub bytes: u64,
    /// The header `referer`.
    pub referer: Option<&'a [u8]>,
    /// The header `user-agent`.
    pub user_agent: Option<&'a [u8]>,
    /// The id of the request.
    pub request_id: &'a str,
    /// How long it took.
    pub duration: Duration,
    /// Its function, and the version of that, where there are many.
    pub function: Option<(&'a str, &'a str)>,
}

/// The first line of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: &'a str,
    /// The target, without the query.
    pub path: &'a str,
    /// The version of HTTP.
    pub version: Version,
}

impl Line<'_> {
    /// The line, with a line feed at its end.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(256);
        shown(&mut line, self.peer.as_ref());
        line.extend_from_slice(b" - ");
        word(&mut line, self.user.unwrap_or_default());
        line.push(b' ');
        time(&mut line, self.time);
        line.extend_from_slice(b" \"");
        match &self.request {
            Some(request) => {
                text(&mut line, request.method.as_bytes(), MAX_TEXT_BYTES);
                line.push(b' ');
                text(&mut line, request.path.as_bytes(), MAX_PATH_BYTES);
                // Writing into memory does not fail, here and below.
                let _ = write!(line, " {:?}", request.version);
            }
            None => line.push(b'-'),
        }
        let _ = write!(line, "\" {} {} ", self.status, self.bytes);
        quoted(&mut line, self.referer);
        line.push(b' ');
        quoted(&mut line, self.user_agent);
        line.push(b' ');
        word(&mut line, self.request_id);
        let _ = write!(line, " {}", self.duration.as_micros());
        if let Some((name, version)) = self.function {
            line.push(b' ');
            word(&mut line, name);
            line.push(b'@');
            word(&mut line, version.get(..12).unwrap_or(version));
        }
        line.push(b'\n');
        line
    }
}

fn shown(line: &mut Vec<u8>, value: Option<&impl Display>) {
    let _ = match value {
        Some(value) => write!(line, "{value}"),
        None => write!(line, "-"),
    };
}

/// A text without quotes around it, in which a space would end the field.
fn word(line: &mut Vec<u8>, word: &str) {
    match word {
        "" | "-" => line.push(b'-'),
        word => {
            let start = line.len();
            text(line, word.as_bytes(), MAX_TEXT_BYTES);
            while let Some(space) = line[start..].iter().position(|&byte| byte == b' ') {
                let space = start + space;
                line.splice(space..=space, *b"\\x20");
            }
        }
    }
}

fn quoted(line: &mut Vec<u8>, value: Option<&[u8]>) {
    line.push(b'"');
    match value {
        None | Some([]) => line.push(b'-'),
        Some(value) => text(line, value, MAX_TEXT_BYTES),
    }
    line.push(b'"');
}

/// A text from outside.
fn text(line: &mut Vec<u8>, bytes: &[u8], max_bytes: usize) {
    let kept = &bytes[..bytes.len().min(max_bytes)];
    for &byte in kept {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => line.push(byte),
            _ => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    if kept.len() < bytes.len() {
        line.extend_from_slice(b"...");
    }
}

/// A time in brackets, in UTC.
fn time(line: &mut Vec<u8>, time: SystemTime) {
    thread_local! {
        /// The last second that was asked for, and what it looks like.
        static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    LAST.with_borrow_mut(|(last, text)| {
        if *last != seconds {
            let time = Timestamp::from_second(seconds.cast_signed()).unwrap_or(Timestamp::MAX);
            *text = time.strftime("[%d/%b/%Y:%H:%M:%S +0000]").to_string();
            *last = seconds;
        }
        line.extend_from_slice(text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line<'static> {
        Line {
            peer: Some([192, 0, 2, 7].into()),
            user: Some("alice"),
            time: UNIX_EPOCH + Duration::from_secs(1_760_104_536),
            request: Some(RequestLine {
                method: "GET",
                path: "/a",
                version: Version::HTTP_11,
            }),
            status: 200,
            bytes: 2326,
            referer: None,
            user_agent: Some(b"curl/8.9"),
            request_id: "3f9a6c1e-000000000000002a",
            duration: Duration::from_nanos(812_999),
            function: None,
        }
    }

    fn text_of(line: &Line<'_>) -> String {
        String::from_utf8(line.to_bytes()).unwrap()
    }

    #[test]
    fn a_line_has_the_combined_format_and_two_fields_more() {
        assert_eq!(
            text_of(&line()),
            "192.0.2.7 - alice [10/Oct/2025:13:55:36 +0000] \"GET /a HTTP/1.1\" 200 2326 \"-\" \
             \"curl/8.9\" 3f9a6c1e-000000000000002a 812\n"
        );
    }

    #[test]
    fn where_there_are_many_functions_a_line_names_its_own() {
        let mut line = line();
        line.function = Some(("greet", "0123456789abcdef"));
        assert!(text_of(&line).ends_with(" 812 greet@0123456789ab\n"));
    }

    #[test]
    fn no_text_ends_its_field_or_the_line() {
        let hostile = "a\" 200 1 \"-\"\r\n\u{1b}[31m\\ \u{e9}";
        let mut line = line();
        line.user = Some(hostile);
        line.request_id = hostile;
        line.referer = Some(hostile.as_bytes());
        line.user_agent = Some(hostile.as_bytes());
        line.request = Some(RequestLine {
            method: hostile,
            path: hostile,
            version: Version::HTTP_2,
        });
        let text = text_of(&line);
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.is_ascii(), "{text}");
        let escaped = r#"a\" 200 1 \"-\"\x0d\x0a\x1b[31m\\ \xc3\xa9"#;
        assert!(
            text.contains(&format!("\"{escaped} {escaped} HTTP/2.0\" 200 2326 ")),
            "{text}"
        );
        assert!(
            text.contains(&format!("\"{escaped}\" \"{escaped}\"")),
            "{text}"
        );
        // Without its quotes, each field is one word.
        let outside: String = text.replace("\\\"", "").split('"').step_by(2).collect();
        assert_eq!(outside.split_ascii_whitespace().count(), 9, "{outside}");
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let mut line = line();
        line.peer = None;
        line.user = None;
        line.request = None;
        line.user_agent = Some(b"");
        line.request_id = "";
        assert_eq!(
            text_of(&line),
            "- - - [10/Oct/2025:13:55:36 +0000] \"-\" 200 2326 \"-\" \"-\" - 812\n"
        );
    }

    #[test]
    fn what_is_too_long_is_cut_off() {
        let long = "x".repeat(10_000);
        let mut line = line();
        line.user_agent = Some(long.as_bytes());
        line.request = Some(RequestLine {
            method: "GET",
            path: &long,
            version: Version::HTTP_11,
        });
        let text = text_of(&line);
        assert!(text.contains("xxx... HTTP/1.1"), "{text}");
        assert!(text.contains("xxx...\" 3f9a"), "{text}");
        assert!(text.len() < 3000, "{text}");
    }

    #[test]
    fn each_second_has_its_own_time() {
        let mut line = line();
        assert!(text_of(&line).contains(":13:55:36 "));
        line.time += Duration::from_secs(1);
        assert!(text_of(&line).contains(":13:55:37 "));
    }
}
