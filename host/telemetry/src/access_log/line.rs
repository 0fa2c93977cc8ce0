//! Format of a line of the access log.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Version;
use jiff::Timestamp;

/// Maximum length of a logged path, in bytes.
const MAX_PATH_BYTES: usize = 2048;

/// Maximum length of any other logged text, in bytes.
const MAX_TEXT_BYTES: usize = 512;

/// A line about a finished request, a rejected connection or a request that cannot be parsed.
///
/// It has the combined log format, followed by the request id and the duration in microseconds:
///
/// ```text
/// 192.0.2.7 - alice [10/Oct/2025:13:55:36 +0000] "GET /a HTTP/1.1" 200 2326 "-" "curl/8.9" 3f9a6c1e-000000000000002a 812
/// ```
///
/// If the server has several functions, the name of the function follows, with `@` and the first
/// 12 digits of its version. An unknown value is `-`. The query of the target is omitted, because
/// it may hold secrets. No text can end its field or the line: quotes, backslashes, control
/// characters and bytes outside of ASCII are escaped as `\"`, `\\` or `\xHH`. A text beyond its
/// maximum length is truncated and ends with `...`.
pub struct Line<'a> {
    /// The peer address of the connection.
    pub peer: Option<IpAddr>,
    /// The authenticated principal.
    pub user: Option<&'a str>,
    /// The start of the request.
    pub time: SystemTime,
    /// The request line, if it could be parsed.
    pub request: Option<RequestLine<'a>>,
    /// The status of the response.
    pub status: u16,
    /// The number of sent body bytes, as the guest wrote them.
    pub bytes: u64,
    /// The header `referer`.
    pub referer: Option<&'a [u8]>,
    /// The header `user-agent`.
    pub user_agent: Option<&'a [u8]>,
    /// The id of the request.
    pub request_id: &'a str,
    /// The duration of the request.
    pub duration: Duration,
    /// The function and its version, if the server has several functions.
    pub function: Option<(&'a str, &'a str)>,
}

/// The request line, without the query.
#[derive(Debug, Clone, Copy)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: &'a str,
    /// The path of the target, without the query.
    pub path: &'a str,
    /// The HTTP version.
    pub version: Version,
}

impl Line<'_> {
    /// The formatted line with a line feed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(256);
        display(&mut line, self.peer.as_ref());
        line.extend_from_slice(b" - ");
        unquoted(&mut line, self.user.unwrap_or_default());
        line.push(b' ');
        time(&mut line, self.time);
        line.extend_from_slice(b" \"");
        match &self.request {
            Some(request) => {
                escaped(&mut line, request.method.as_bytes(), MAX_TEXT_BYTES);
                line.push(b' ');
                escaped(&mut line, request.path.as_bytes(), MAX_PATH_BYTES);
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
        unquoted(&mut line, self.request_id);
        let _ = write!(line, " {}", self.duration.as_micros());
        if let Some((name, version)) = self.function {
            line.push(b' ');
            unquoted(&mut line, name);
            line.push(b'@');
            unquoted(&mut line, version.get(..12).unwrap_or(version));
        }
        line.push(b'\n');
        line
    }
}

fn display(line: &mut Vec<u8>, value: Option<&impl Display>) {
    let _ = match value {
        Some(value) => write!(line, "{value}"),
        None => write!(line, "-"),
    };
}

/// Appends a field without quotes, which a space would end.
fn unquoted(line: &mut Vec<u8>, value: &str) {
    match value {
        "" | "-" => line.push(b'-'),
        value => {
            let start = line.len();
            escaped(line, value.as_bytes(), MAX_TEXT_BYTES);
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
        Some(value) => escaped(line, value, MAX_TEXT_BYTES),
    }
    line.push(b'"');
}

/// Appends untrusted text, escaped and truncated.
fn escaped(line: &mut Vec<u8>, bytes: &[u8], max_bytes: usize) {
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

/// Appends a time in brackets, in UTC.
fn time(line: &mut Vec<u8>, time: SystemTime) {
    thread_local! {
        /// The last formatted second, and its text.
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
    fn a_line_has_the_combined_format_request_id_and_microseconds() {
        assert_eq!(
            text_of(&line()),
            "192.0.2.7 - alice [10/Oct/2025:13:55:36 +0000] \"GET /a HTTP/1.1\" 200 2326 \"-\" \
             \"curl/8.9\" 3f9a6c1e-000000000000002a 812\n"
        );
    }

    #[test]
    fn a_line_ends_with_function_and_version_if_there_are_several() {
        let mut line = line();
        line.function = Some(("greet", "0123456789abcdef"));
        assert!(text_of(&line).ends_with(" 812 greet@0123456789ab\n"));
    }

    #[test]
    fn escaped_text_cannot_end_its_field_or_the_line() {
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
        // Outside of the quotes, each field is one word.
        let outside: String = text.replace("\\\"", "").split('"').step_by(2).collect();
        assert_eq!(outside.split_ascii_whitespace().count(), 9, "{outside}");
    }

    #[test]
    fn an_unknown_value_is_a_dash() {
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
    fn text_beyond_its_maximum_length_is_truncated() {
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
    fn the_cached_time_follows_the_second() {
        let mut line = line();
        assert!(text_of(&line).contains(":13:55:36 "));
        line.time += Duration::from_secs(1);
        assert!(text_of(&line).contains(":13:55:37 "));
    }
}
