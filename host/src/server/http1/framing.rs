//! Where one message ends and the next one begins.

use super::field::Field;
use super::head::{self, BodyFraming, MessageLimits};
use super::target::{self, NewLine};
use crate::server::Refusal;

/// How long the line with the size of a chunk may be, with its extensions.
const MAX_CHUNK_LINE_BYTES: usize = 4096;

/// Follows the bytes of a connection from message to message.
#[derive(Debug)]
pub(crate) struct Framing {
    limits: MessageLimits,
    phase: Phase,
    /// How many heads have passed.
    pub(crate) heads: u64,
    /// How many bytes the chunks of a body have together.
    chunk_bytes: u64,
    /// Whether an empty line before the next one was left out.
    has_skipped: bool,
}

#[derive(Debug)]
enum Phase {
    /// Between two messages, or in a head that has not come as a whole.
    Head,
    /// In a body, so many bytes before its end.
    Body(u64),
    /// Before the line with the size of a chunk.
    ChunkLine,
    /// In the data of a chunk, so many bytes before their end.
    ChunkData(u64),
    /// In the CRLF after them: how many of the two have come.
    ChunkEnd(usize),
    /// In the lines after the last chunk: how many bytes they have had, and how many there
    /// were.
    Trailers { bytes: usize, count: usize },
}

/// How far the bytes that have come may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many may.
    Passes(usize),
    /// None may before there are more.
    Incomplete,
    /// So many belong to nothing, and are left out.
    Skipped(usize),
    /// They begin with a request line that has to be replaced before they are looked at again.
    Replaced(NewLine),
}

impl Framing {
    pub(crate) fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            phase: Phase::Head,
            heads: 0,
            chunk_bytes: 0,
            has_skipped: false,
        }
    }

    /// Whether no message is on its way.
    pub(crate) fn is_between_messages(&self) -> bool {
        matches!(self.phase, Phase::Head)
    }

    /// Looks at `bytes`, which are not empty, up to the end of what they begin with: a
    /// head, or a part of a body. A head of a later version is changed to one that says
    /// 1.1, which it has to be read as (RFC 9110, section 2.5), and no `upgrade` remains.
    ///
    /// # Errors
    ///
    /// Returns how the request has to be answered. After that nothing may pass.
    pub(crate) fn advance(&mut self, bytes: &mut [u8]) -> Result<Progress, Refusal> {
        match &mut self.phase {
            Phase::Head => self.advance_head(bytes),
            Phase::Body(left) => {
                let passing = take(left, bytes);
                if *left == 0 {
                    self.phase = Phase::Head;
                }
                Ok(Progress::Passes(passing))
            }
            Phase::ChunkData(left) => {
                let passing = take(left, bytes);
                if *left == 0 {
                    self.phase = Phase::ChunkEnd(0);
                }
                Ok(Progress::Passes(passing))
            }
            Phase::ChunkEnd(found) => {
                if bytes[0] != b"\r\n"[*found] {
                    return Err(Refusal::Malformed("a chunk is not as long as it says"));
                }
                *found += 1;
                if *found == 2 {
                    self.phase = Phase::ChunkLine;
                }
                Ok(Progress::Passes(1))
            }
            Phase::ChunkLine => {
                let Some(end) = end_of_line(bytes, MAX_CHUNK_LINE_BYTES)? else {
                    return Ok(Progress::Incomplete);
                };
                let size = chunk_size(without_crlf(&bytes[..end]))?;
                self.chunk_bytes = self.chunk_bytes.saturating_add(size);
                if self.chunk_bytes > self.limits.body_bytes {
                    return Err(Refusal::BodyTooLarge);
                }
                self.phase = match size {
                    0 => Phase::Trailers { bytes: 0, count: 0 },
                    size => Phase::ChunkData(size),
                };
                Ok(Progress::Passes(end))
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
                    return Ok(Progress::Passes(end));
                }
                check_trailer(Field::parse(line)?)?;
                *total += end;
                *count += 1;
                if *count > self.limits.fields {
                    return Err(Refusal::HeadTooLarge);
                }
                Ok(Progress::Passes(end))
            }
        }
    }

    fn advance_head(&mut self, bytes: &mut [u8]) -> Result<Progress, Refusal> {
        // One empty line before a request is left out (RFC 9112, section 2.2).
        match bytes {
            [b'\r', ..] if self.has_skipped => {
                return Err(Refusal::Malformed(
                    "there are empty lines before the request",
                ));
            }
            [b'\r'] => return Ok(Progress::Incomplete),
            [b'\r', b'\n', ..] => {
                self.has_skipped = true;
                return Ok(Progress::Skipped(2));
            }
            _ => {}
        }
        let Some(end) = self.end_of_head(bytes)? else {
            return Ok(Progress::Incomplete);
        };
        let head = match head::check(&bytes[..end], self.limits) {
            Ok(head) => head,
            Err(refusal) => {
                let line = head::request_line(&bytes[..end]).and_then(target::encode_target);
                return line.map(Progress::Replaced).ok_or(refusal);
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
        Ok(Progress::Passes(end))
    }

    /// Where the head ends, if all of it has come.
    fn end_of_head(&self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        /// What a request line has beside its target, generously.
        const REST_OF_LINE: usize = 64;

        let seen = &bytes[..bytes.len().min(self.limits.head_bytes)];
        let mut start = 0;
        for (line, end) in memchr::memchr_iter(b'\n', seen).enumerate() {
            // Each time that a little comes, all of them are looked at.
            if line > self.limits.fields + 1 {
                return Err(Refusal::HeadTooLarge);
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
            return Err(Refusal::TargetTooLong);
        }
        if bytes.len() >= self.limits.head_bytes {
            return Err(Refusal::HeadTooLarge);
        }
        Ok(None)
    }
}

const BARE: Refusal = Refusal::Malformed("a line does not end with CRLF, or has one of both in it");

/// How many of `bytes` belong to what is `left`, which they are taken off.
fn take(left: &mut u64, bytes: &[u8]) -> usize {
    let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= taken as u64;
    taken
}

/// Where the line ends that `bytes` begin with, if all of it has come. Before that, nothing
/// of it passes: whoever gets a part of a line may find a fault in it first.
fn end_of_line(bytes: &[u8], max_bytes: usize) -> Result<Option<usize>, Refusal> {
    let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
    let line = &bytes[..end.unwrap_or(bytes.len())];
    if line.len() > max_bytes {
        return Err(Refusal::HeadTooLarge);
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
fn chunk_size(line: &[u8]) -> Result<u64, Refusal> {
    const INVALID: Refusal = Refusal::Malformed("the size of a chunk is invalid");
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

/// Whether each quoted text ends. One that goes on in the next line would make a chunk of
/// something else.
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

/// Fields that would change how a message is read cannot come after it (RFC 9110,
/// section 6.5.1).
fn check_trailer(field: Field<'_>) -> Result<(), Refusal> {
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
        return Err(Refusal::Malformed("a field is not allowed after the body"));
    }
    Ok(())
}

// The path is for `fuzz`, which includes this file from elsewhere.
#[cfg(test)]
#[path = "framing/tests.rs"]
mod tests;
