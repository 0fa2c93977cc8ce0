//! An independent reader of HTTP/1.1, written from RFC 9112 alone: slow and strict.

use crate::Message;

/// What was read.
#[derive(Debug)]
pub struct Requests {
    /// All requests. The body of the last one may be cut.
    pub all: Vec<Message>,
    /// How many of them come before the client, or its version of HTTP, lets the connection
    /// end: a server need not read those behind (RFC 9112, section 9.3).
    pub needed: usize,
}

/// Reads requests to the end of `bytes`.
///
/// # Errors
///
/// Says what is not as it should be.
pub fn read(mut bytes: &[u8]) -> Result<Requests, String> {
    let mut messages = Vec::new();
    let mut needed = None;
    while !bytes.is_empty() {
        let (lines, rest) = head(bytes)?;
        let (line, fields) = lines.split_first().ok_or("no request line")?;
        let (method, target) = request_line(line)?;
        let (body, rest) = body(fields, rest)?;
        messages.push(Message {
            method,
            target,
            body,
        });
        bytes = rest;
        if needed.is_none() && may_end(line, fields) {
            needed = Some(messages.len());
        }
    }
    Ok(Requests {
        needed: needed.unwrap_or(messages.len()),
        all: messages,
    })
}

/// Whether the connection may end after a request with this line and these fields.
fn may_end(line: &[u8], fields: &[&[u8]]) -> bool {
    let closes = |field: &&[u8]| {
        let field = field.to_ascii_lowercase();
        let options = field.strip_prefix(b"connection:").unwrap_or_default();
        let mut options = options.split(|byte| *byte == b',');
        options.any(|option| option.trim_ascii() == b"close")
    };
    line.ends_with(b"HTTP/1.0") || fields.iter().any(closes)
}

/// The lines of a head, and what is behind the empty one.
fn head(bytes: &[u8]) -> Result<(Vec<&[u8]>, &[u8]), String> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    loop {
        let (line, after) = line(rest).ok_or("a head that does not end")?;
        rest = after;
        if line.is_empty() {
            return Ok((lines, rest));
        }
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err("a line with an end or a zero in it".to_owned());
        }
        lines.push(line);
    }
}

/// What is before the first CRLF, and behind it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

fn request_line(line: &[u8]) -> Result<(String, String), String> {
    let text = str::from_utf8(line).map_err(|_| "a request line that is not text")?;
    let words: Vec<_> = text.split(' ').collect();
    let [method, target, "HTTP/1.0" | "HTTP/1.1"] = words[..] else {
        return Err(format!("the request line `{text}`"));
    };
    Ok((method.to_owned(), path(target)))
}

/// The path and the query of a target.
fn path(target: &str) -> String {
    let Some((_, rest)) = target
        .split_once("://")
        .filter(|_| !target.starts_with('/'))
    else {
        return target.to_owned();
    };
    match rest.find(['/', '?']) {
        Some(at) => rest[at..].to_owned(),
        None => "/".to_owned(),
    }
}

/// The body that these fields announce, without its framing, and what is behind it.
fn body<'a>(fields: &[&[u8]], bytes: &'a [u8]) -> Result<(Option<Vec<u8>>, &'a [u8]), String> {
    let mut lengths = Vec::new();
    let mut codings = Vec::new();
    for field in fields {
        let colon = field.iter().position(|byte| *byte == b':');
        let (name, value) = field.split_at(colon.ok_or("a field without a colon")?);
        let value = value[1..].trim_ascii().to_ascii_lowercase();
        match &name.to_ascii_lowercase()[..] {
            b"content-length" => lengths.push(value),
            b"transfer-encoding" => codings.push(value),
            _ => {}
        }
    }
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok((Some(Vec::new()), bytes)),
        ([length], []) => {
            let text = str::from_utf8(length).map_err(|_| "a length that is not text")?;
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format!("the length `{text}`"));
            }
            let length = text.parse().unwrap_or(usize::MAX);
            match bytes.split_at_checked(length) {
                Some((body, rest)) => Ok((Some(body.to_owned()), rest)),
                None => Ok((None, &[])),
            }
        }
        ([], [coding]) if coding == b"chunked" => chunks(bytes),
        _ => Err(format!(
            "{} lengths and {} codings",
            lengths.len(),
            codings.len()
        )),
    }
}

/// The data of all chunks, if all of them are there, and what is behind the trailers.
fn chunks(mut bytes: &[u8]) -> Result<(Option<Vec<u8>>, &[u8]), String> {
    const CUT: (Option<Vec<u8>>, &[u8]) = (None, &[]);

    let mut data = Vec::new();
    loop {
        let Some((text, rest)) = line(bytes) else {
            return Ok(CUT);
        };
        let digits = text
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let size = str::from_utf8(&text[..digits]).unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| format!("the size `{size}`"))?;
        bytes = rest;
        if size == 0 {
            break;
        }
        let end = size.checked_add(2);
        let Some((chunk, rest)) = end.and_then(|end| bytes.split_at_checked(end)) else {
            return Ok(CUT);
        };
        let chunk = chunk.strip_suffix(b"\r\n");
        data.extend_from_slice(chunk.ok_or("a chunk that is longer than it says")?);
        bytes = rest;
    }
    loop {
        let Some((text, rest)) = line(bytes) else {
            return Ok(CUT);
        };
        bytes = rest;
        if text.is_empty() {
            return Ok((Some(data), bytes));
        }
    }
}
