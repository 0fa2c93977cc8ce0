//! Cases of HTTP/2: frames that are sent, and what the server does.

use super::frames::frames;
use super::{Case, Line, unescape};
use crate::http2::{CODES, Frame, PREFACE};

/// What happens in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These bytes are sent at once.
    Send(Vec<u8>),
    /// The client says that it sends no more.
    End,
    /// The server does one of these.
    Expect(Vec<Expected>),
    /// What the server did until now with streams that no line names does not matter.
    ForgetOthers,
    /// The server ends the connection, and does nothing else before.
    Closed,
    /// The connection can be used for another request.
    Open,
}

/// What a server may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// A response with this status on this stream, and with this body if that matters.
    Response(u32, u16, Option<Vec<u8>>),
    /// It resets this stream with the code of this name.
    Reset(u32, String),
    /// It ends the connection with the code of this name.
    GoAway(String),
}

/// The cases of one file.
#[must_use]
pub fn load(theme: &str) -> Vec<Case<Step>> {
    super::load("http2", theme, steps)
}

fn steps(lines: &[Line<'_>]) -> Result<Vec<Step>, String> {
    let mut start = PREFACE.to_vec();
    start.extend(Frame::new("SETTINGS", 0, 0, []).bytes());
    let mut steps = vec![Step::Send(start)];
    let mut is_continued = true;
    for (index, line) in lines.iter().enumerate() {
        let step = match line.mark {
            // This one sends its own beginning, or none.
            "bare" if index == 0 => {
                steps.clear();
                continue;
            }
            ">" => Step::Send(frames(line.text)?),
            "raw" => Step::Send(unescape(line.text)?),
            "--" => {
                is_continued = false;
                continue;
            }
            "end" => Step::End,
            "others" => Step::ForgetOthers,
            "closed" => Step::Closed,
            "open" => Step::Open,
            "<" => Step::Expect(expected(line.text)?),
            mark => return Err(format!("`{mark}` begins no line of a case")),
        };
        match (steps.last_mut(), step) {
            (Some(Step::Send(before)), Step::Send(bytes)) if is_continued => before.extend(bytes),
            (_, step) => steps.push(step),
        }
        is_continued = true;
    }
    match steps.last() {
        Some(Step::Closed | Step::Open) => Ok(steps),
        _ => Err("expected `closed` or `open` at its end".to_owned()),
    }
}

fn expected(text: &str) -> Result<Vec<Expected>, String> {
    let mut choices = Vec::new();
    for choice in text.split(" | ") {
        let error = || format!("`{choice}` is nothing that a server does");
        let stream = |text: &str| text.parse::<u32>().map_err(|_| error());
        let words: Vec<_> = choice.splitn(3, ' ').collect();
        match words[..] {
            // What is malformed may be answered before it is reset (RFC 9113, section
            // 8.1.1), and may end the whole connection (section 5.4.1).
            ["malformed", on] => {
                let on = stream(on)?;
                choices.push(Expected::Response(on, 400, None));
                choices.push(Expected::Reset(on, code("PROTOCOL_ERROR")?));
                choices.push(Expected::GoAway(code("PROTOCOL_ERROR")?));
            }
            ["RST_STREAM", on, name] => choices.push(Expected::Reset(stream(on)?, code(name)?)),
            ["GOAWAY", name] => choices.push(Expected::GoAway(code(name)?)),
            [status, on, ref body @ ..] => {
                let status = status.parse().map_err(|_| error())?;
                let body = body.first().map(|body| unescape(body)).transpose()?;
                choices.push(Expected::Response(stream(on)?, status, body));
            }
            _ => return Err(error()),
        }
    }
    Ok(choices)
}

fn code(name: &str) -> Result<String, String> {
    if CODES.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(format!("`{name}` is the name of no code"))
    }
}
