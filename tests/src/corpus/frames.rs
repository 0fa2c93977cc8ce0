//! Frames as text: `TYPE STREAM FLAGS PAYLOAD …`, as `corpus/README.md` describes.

use super::unescape;
use crate::http2::hpack::literal;
use crate::http2::{ACK, END_HEADERS, END_STREAM, Frame, PADDED, PRIORITY, TYPES};

/// The settings, by their numbers (RFC 9113, section 6.5.2).
const SETTINGS: [&str; 10] = [
    "0",
    "HEADER_TABLE_SIZE",
    "ENABLE_PUSH",
    "MAX_CONCURRENT_STREAMS",
    "INITIAL_WINDOW_SIZE",
    "MAX_FRAME_SIZE",
    "MAX_HEADER_LIST_SIZE",
    "7",
    "ENABLE_CONNECT_PROTOCOL",
    "9",
];

/// The bytes of the frames in a line.
pub(super) fn frames(line: &str) -> Result<Vec<u8>, String> {
    let (times, step, line) = repetition(line)?;
    let frames = split(line, ';')?;
    let frames = frames.iter().map(|text| frame(text.trim()));
    let frames = frames.collect::<Result<Vec<_>, _>>()?;
    let mut bytes = Vec::new();
    for turn in 0..times {
        for frame in &frames {
            let stream = frame.stream + turn * step;
            bytes.extend(
                Frame {
                    stream,
                    ..frame.clone()
                }
                .bytes(),
            );
        }
    }
    Ok(bytes)
}

/// Repetitions of a line, increment of the stream, and the rest of the line.
fn repetition(line: &str) -> Result<(u32, u32, &str), String> {
    let Some((times, rest)) = line.strip_prefix('*').and_then(|line| line.split_once(' ')) else {
        return Ok((1, 0, line));
    };
    let (times, step) = times.split_once('+').unwrap_or((times, "0"));
    let number = |text: &str| {
        text.parse()
            .map_err(|_| format!("`{text}` is not a number"))
    };
    Ok((number(times)?, number(step)?, rest))
}

/// Splits a text at `separator`, but not in brackets and quotes.
fn split(text: &str, separator: char) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut start, mut closing) = (0, None);
    for (at, letter) in text.char_indices() {
        match (closing, letter) {
            (None, '[') => closing = Some(']'),
            (None, '"') => closing = Some('"'),
            (Some(end), letter) if letter == end => closing = None,
            (None, letter) if letter == separator => {
                parts.push(&text[start..at]);
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    match closing {
        None => Ok(parts.into_iter().filter(|part| !part.is_empty()).collect()),
        Some(end) => Err(format!("missing `{end}` in `{text}`")),
    }
}

fn frame(text: &str) -> Result<Frame, String> {
    let words = split(text, ' ')?;
    let [kind, stream, flags, parts @ ..] = &words[..] else {
        return Err(format!(
            "expected a type, a stream and flags, found `{text}`"
        ));
    };
    let mut frame = Frame {
        kind: self::kind(kind)?,
        flags: self::flags(flags)?,
        stream: number(stream)?,
        payload: Vec::new(),
        length: None,
    };
    for part in parts {
        if let Some(length) = part.strip_prefix("length=") {
            frame.length = Some(number(length)?);
        } else {
            frame.payload.extend(self::part(part)?);
        }
    }
    Ok(frame)
}

fn kind(name: &str) -> Result<u8, String> {
    let known = TYPES.iter().position(|known| *known == name);
    let known = known.and_then(|kind| u8::try_from(kind).ok());
    let hex = || u8::from_str_radix(name.strip_prefix("0x")?, 16).ok();
    known
        .or_else(hex)
        .ok_or_else(|| format!("unknown frame type `{name}`"))
}

fn flags(names: &str) -> Result<u8, String> {
    let mut flags = 0;
    for name in names.split(',') {
        flags |= match name {
            "-" => 0,
            "END_STREAM" => END_STREAM,
            "END_HEADERS" => END_HEADERS,
            "END" => END_STREAM | END_HEADERS,
            "PADDED" => PADDED,
            "PRIORITY" => PRIORITY,
            "ACK" => ACK,
            "UNKNOWN" => 0xd2,
            _ => return Err(format!("unknown flag `{name}`")),
        };
    }
    Ok(flags)
}

/// A part of a payload.
fn part(text: &str) -> Result<Vec<u8>, String> {
    let error = || format!("`{text}` is not a part of a payload");
    if let Some(field) = text.strip_prefix('[') {
        let field = field.strip_suffix(']').ok_or_else(error)?;
        let colon = field
            .match_indices(": ")
            .find(|(at, _)| *at > 0 || field.starts_with(": "));
        let (at, _) = colon.ok_or_else(error)?;
        let (name, value) = (&field[..at], &field[at + 2..]);
        return Ok(literal(&unescape(name)?, &unescape(value)?));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return unescape(quoted.strip_suffix('"').ok_or_else(error)?);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        let pairs = (0..digits.len()).step_by(2);
        let bytes = pairs.map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
        return bytes.collect::<Option<_>>().ok_or_else(error);
    }
    if let Some(value) = text.strip_prefix("u32:") {
        return Ok(number(value)?.to_be_bytes().into());
    }
    if let Some((name, value)) = text.split_once('=') {
        let id = SETTINGS.iter().position(|setting| *setting == name);
        let id = u16::try_from(id.ok_or_else(error)?).map_err(|_| error())?;
        let mut bytes = id.to_be_bytes().to_vec();
        bytes.extend(number(value)?.to_be_bytes());
        return Ok(bytes);
    }
    let pseudo = |method: &str| {
        let fields = [
            (":method", method),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "test"),
        ];
        fields
            .map(|(name, value)| literal(name.as_bytes(), value.as_bytes()))
            .concat()
    };
    match text {
        "get" => Ok(pseudo("GET")),
        "post" => Ok(pseudo("POST")),
        _ => Err(error()),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a number"))
}
