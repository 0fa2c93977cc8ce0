//! Cases of HTTP/1.1: bytes that are sent, and the responses to them.

use super::{Case, Line, unescape};

/// What happens in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These bytes are sent at once.
    Send(Vec<u8>),
    /// The client says that it sends no more.
    End,
    /// A response comes.
    Receive(Expected),
    /// Nothing more comes, and the server closes the connection.
    Closed,
    /// The connection can be used for another request.
    Open,
}

/// A response that has to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its status code.
    pub status: u16,
    /// Its whole body, if that matters.
    pub body: Option<Vec<u8>>,
    /// Whether the request is HEAD, so that no body comes.
    pub is_head: bool,
    /// Whether the server may as well leave it out.
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

fn expected(line: Line<'_>) -> Result<Expected, String> {
    let (status, body) = match line.text.split_once(' ') {
        Some((status, body)) => (status, Some(unescape(body)?)),
        None => (line.text, None),
    };
    Ok(Expected {
        status: status
            .parse()
            .map_err(|_| format!("`{status}` is no status code"))?,
        body,
        is_head: line.mark == "<head",
        is_optional: line.mark == "<maybe",
    })
}
