//! Cases of HTTP/1.1: bytes that are sent, and the responses to them.

use super::{Case, Line, unescape};

/// A step of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes at once.
    Send(Vec<u8>),
    /// Shut down the sending side.
    End,
    /// Expect a response.
    Receive(Expected),
    /// Expect the close of the connection, and nothing before.
    Closed,
    /// Expect that the connection serves another request.
    Open,
}

/// An expected response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its status code.
    pub status: u16,
    /// Its body, if that is checked.
    pub body: Option<Vec<u8>>,
    /// Whether the request is HEAD, so that the response has no body.
    pub is_head: bool,
    /// Whether the response is optional.
    pub is_optional: bool,
}

/// The cases of one file.
#[must_use]
pub fn load(theme: &str) -> Vec<Case<Step>> {
    super::load("http1", theme, steps)
}

fn steps(lines: &[Line<'_>]) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut is_continued = false;
    for line in lines {
        let step = match line.mark {
            ">" => Step::Send(unescape(line.text)?),
            "--" => {
                is_continued = false;
                continue;
            }
            "end" => Step::End,
            "closed" => Step::Closed,
            "open" => Step::Open,
            "<" | "<head" | "<maybe" => Step::Receive(expected(*line)?),
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

fn expected(line: Line<'_>) -> Result<Expected, String> {
    let (status, body) = match line.text.split_once(' ') {
        Some((status, body)) => (status, Some(unescape(body)?)),
        None => (line.text, None),
    };
    Ok(Expected {
        status: status
            .parse()
            .map_err(|_| format!("`{status}` is not a status code"))?,
        body,
        is_head: line.mark == "<head",
        is_optional: line.mark == "<maybe",
    })
}
