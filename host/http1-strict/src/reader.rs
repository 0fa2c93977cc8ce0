//! The boundaries between the messages of a connection.

use crate::Violation;
use crate::field::Field;
use crate::head::{self, BodyFraming, MessageLimits};
use crate::target::{self, RequestLine};

/// The longest chunk-size line with its extensions, in bytes.
const MAX_CHUNK_LINE_BYTES: usize = 4096;

/// Follows the bytes of one connection from message to message.
#[derive(Debug)]
pub struct StrictReader {
    limits: MessageLimits,
    phase: Phase,
    heads: u64,
    /// Size of the chunks of the present body together.
    chunk_bytes: u64,
    /// Whether an empty line before the next head was discarded.
    has_skipped: bool,
}

#[derive(Debug)]
enum Phase {
    /// Between two messages, or within a head.
    Head,
    /// In a body; holds the bytes before its end.
    Body(u64),
    /// Before a chunk-size line.
    ChunkLine,
    /// In chunk data; holds the bytes before its end.
    ChunkData(u64),
    /// In the CRLF after chunk data; holds the number of its bytes that were read.
    ChunkEnd(usize),
    /// In the trailer section; holds its size and number of lines so far.
    Trailers { bytes: usize, count: usize },
}

/// What happens to the bytes that were received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// This number of bytes is accepted.
    Accept(usize),
    /// More bytes are needed.
    Incomplete,
    /// This number of bytes belongs to no message and is discarded.
    Discard(usize),
    /// The request line is replaced, and the bytes are read again.
    Rewrite(RequestLine),
}

impl StrictReader {
    /// A reader for the first byte of a connection.
    #[must_use]
    pub fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            phase: Phase::Head,
            heads: 0,
            chunk_bytes: 0,
            has_skipped: false,
        }
    }

    /// Number of heads that were accepted.
    #[must_use]
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the reader is between two messages.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        matches!(self.phase, Phase::Head)
    }

    /// Reads `bytes`, which are not empty, to the end of what they begin with: a head, or a part of
    /// a body. The version of an accepted head becomes at most 1.1 (RFC 9110, section 2.5), and its
    /// `Upgrade` fields get the name [`HIDDEN_UPGRADE`](crate::HIDDEN_UPGRADE).
    ///
    /// # Errors
    ///
    /// Returns the rule that the message breaks. The connection cannot be read on after that.
    pub fn advance(&mut self, bytes: &mut [u8]) -> Result<Progress, Violation> {
        match &mut self.phase {
            Phase::Head => self.advance_head(bytes),
            Phase::Body(left) => {
                let accepted = take(left, bytes);
                if *left == 0 {
                    self.phase = Phase::Head;
                }
                Ok(Progress::Accept(accepted))
            }
            Phase::ChunkData(left) => {
                let accepted = take(left, bytes);
                if *left == 0 {
                    self.phase = Phase::ChunkEnd(0);
                }
                Ok(Progress::Accept(accepted))
            }
            Phase::ChunkEnd(found) => {
                if bytes[0] != b"\r\n"[*found] {
                    return Err(Violation::Malformed("chunk data does not end with CRLF"));
                }
                *found += 1;
                if *found == 2 {
                    self.phase = Phase::ChunkLine;
                }
                Ok(Progress::Accept(1))
            }
            Phase::ChunkLine => {
                let Some(end) = end_of_line(bytes, MAX_CHUNK_LINE_BYTES)? else {
                    return Ok(Progress::Incomplete);
                };
                let size = chunk_size(without_crlf(&bytes[..end]))?;
                self.chunk_bytes = self.chunk_bytes.saturating_add(size);
                if self.chunk_bytes > self.limits.body_bytes {
                    return Err(Violation::BodyTooLarge);
                }
                self.phase = match size {
                    0 => Phase::Trailers { bytes: 0, count: 0 },
                    size => Phase::ChunkData(size),
                };
                Ok(Progress::Accept(end))
            }
            Phase::Trailers {
                bytes: total,
                count,
            } => {
                let Some(end) = end_of_line(bytes, self.limits.head_bytes - *total)? else {
                    return Ok(Progress::Incomplete);
                };
                let line = without_crlf(&bytes[..end]);
                if line.is_empty() {
                    self.phase = Phase::Head;
                    return Ok(Progress::Accept(end));
                }
                check_trailer(Field::parse(line)?)?;
                *total += end;
                *count += 1;
                if *count > self.limits.fields {
                    return Err(Violation::HeadTooLarge);
                }
                Ok(Progress::Accept(end))
            }
        }
    }

    fn advance_head(&mut self, bytes: &mut [u8]) -> Result<Progress, Violation> {
        // A single empty line before a request is ignored (RFC 9112, section 2.2).
        match bytes {
            [b'\r', ..] if self.has_skipped => {
                return Err(Violation::Malformed(
                    "several empty lines before the request",
                ));
            }
            [b'\r'] => return Ok(Progress::Incomplete),
            [b'\r', b'\n', ..] => {
                self.has_skipped = true;
                return Ok(Progress::Discard(2));
            }
            _ => {}
        }
        let Some(end) = self.end_of_head(bytes)? else {
            return Ok(Progress::Incomplete);
        };
        let head = match head::check(&bytes[..end], self.limits) {
            Ok(head) => head,
            Err(violation) => {
                let line = head::request_line(&bytes[..end]).and_then(target::encode_target);
                return line.map(Progress::Rewrite).ok_or(violation);
            }
        };
        if let Some(at) = head.later_version_at {
            bytes[at] = b'1';
        }
        if head.has_upgrade {
            head::hide_upgrade(&mut bytes[..end]);
        }
        self.heads += 1;
        self.has_skipped = false;
        self.phase = match head.framing {
            BodyFraming::Length(0) => Phase::Head,
            BodyFraming::Length(length) => Phase::Body(length),
            BodyFraming::Chunked => {
                self.chunk_bytes = 0;
                Phase::ChunkLine
            }
        };
        Ok(Progress::Accept(end))
    }

    /// The end of the head, if all of it was received.
    fn end_of_head(&self, bytes: &[u8]) -> Result<Option<usize>, Violation> {
        /// Bytes of a request line in addition to its target, rounded up.
        const REST_OF_LINE: usize = 64;

        let seen = &bytes[..bytes.len().min(self.limits.head_bytes)];
        let mut start = 0;
        for (line, end) in memchr::memchr_iter(b'\n', seen).enumerate() {
            // All lines are read again each time that bytes arrive.
            if line > self.limits.fields + 1 {
                return Err(Violation::HeadTooLarge);
            }
            match &seen[start..end] {
                b"\r" => return Ok(Some(end + 1)),
                [line @ .., b'\r'] if memchr::memchr(b'\r', line).is_none() => start = end + 1,
                _ => return Err(BARE),
            }
        }
        let unfinished = &seen[start..];
        if let Some(at) = memchr::memchr(b'\r', unfinished)
            && at + 1 < unfinished.len()
        {
            return Err(BARE);
        }
        if start == 0 && unfinished.len() > self.limits.target_bytes + REST_OF_LINE {
            return Err(Violation::TargetTooLong);
        }
        if bytes.len() >= self.limits.head_bytes {
            return Err(Violation::HeadTooLarge);
        }
        Ok(None)
    }
}

const BARE: Violation =
    Violation::Malformed("line without CRLF at its end, or with a bare CR or LF");

/// Takes as many of `bytes` off `left` as belong to it. Returns their number.
fn take(left: &mut u64, bytes: &[u8]) -> usize {
    let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= taken as u64;
    taken
}

/// The end of the first line of `bytes`, if all of it was received. A line is accepted as a whole:
/// an HTTP library could reject a part of it with another response.
fn end_of_line(bytes: &[u8], max_bytes: usize) -> Result<Option<usize>, Violation> {
    let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
    let line = &bytes[..end.unwrap_or(bytes.len())];
    if line.len() > max_bytes {
        return Err(Violation::HeadTooLarge);
    }
    let is_good = match (memchr::memchr(b'\r', line), end) {
        (Some(at), Some(end)) => at + 2 == end,
        (Some(at), None) => at + 1 == line.len(),
        (None, end) => end.is_none(),
    };
    if is_good { Ok(end) } else { Err(BARE) }
}

fn without_crlf(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r\n").unwrap_or(line)
}

/// The size of a chunk (RFC 9112, section 7.1).
fn chunk_size(line: &[u8]) -> Result<u64, Violation> {
    const INVALID: Violation = Violation::Malformed("invalid chunk size");
    const MAX_DIGITS: usize = 16;

    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (size, extensions) = line.split_at(digits);
    let is_visible = |&byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    let is_extension = extensions.is_empty()
        || (extensions.trim_ascii_start().first() == Some(&b';')
            && extensions.iter().all(is_visible)
            && has_whole_quotes(extensions));
    if !(1..=MAX_DIGITS).contains(&digits) || !is_extension {
        return Err(INVALID);
    }
    let size = str::from_utf8(size).map_err(|_| INVALID)?;
    u64::from_str_radix(size, 16).map_err(|_| INVALID)
}

/// Whether each quoted string ends within the line. One that continued in the next line would turn
/// data into a chunk.
fn has_whole_quotes(extensions: &[u8]) -> bool {
    let mut is_quoted = false;
    let mut bytes = extensions.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => drop(bytes.next()),
            _ => {}
        }
    }
    !is_quoted
}

/// Rejects trailers that would change the meaning of the message (RFC 9110, section 6.5.1).
fn check_trailer(field: Field<'_>) -> Result<(), Violation> {
    const FORBIDDEN: [&str; 9] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "transfer-encoding",
    ];
    if FORBIDDEN.iter().any(|name| field.is(name)) {
        return Err(Violation::Malformed("field not allowed in trailers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
