//! Cases of HTTP/2: frames that are sent, and what the server does.

use super::frames::frames;
use super::{Case, Line, unescape};
use crate::http2::{CODES, Frame, PREFACE};

/// A step of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes at once.
    Send(Vec<u8>),
    /// Shut down the sending side.
    End,
    /// Expect one of these actions.
    Expect(Vec<Expected>),
    /// Ignore all actions so far on streams that no line names.
    ForgetOthers,
    /// Expect the close of the connection, and nothing before.
    Closed,
    /// Expect that the connection serves another request.
    Open,
}

/// An action of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// A response with this status on this stream, and with this body if that is checked.
    Response(u32, u16, Option<Vec<u8>>),
    /// A reset of this stream with the code of this name.
    Reset(u32, String),
    /// A GOAWAY with the code of this name.
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
            // The case sends its own preface, or none.
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
            mark => return Err(format!("unknown mark `{mark}`")),
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
        let error = || format!("unknown action `{choice}`");
        let stream = |text: &str| text.parse::<u32>().map_err(|_| error());
        let words: Vec<_> = choice.splitn(3, ' ').collect();
        match words[..] {
            // A malformed request may be answered before its reset (RFC 9113, section 8.1.1), and
            // may end the connection (section 5.4.1).
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
        Err(format!("unknown code `{name}`"))
    }
}
