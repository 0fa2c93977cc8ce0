//! What the log keeps of one entry, and how it is written as JSON.

use std::io;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use crate::RequestId;

/// One line of the log: the host's facts and the guest's words, apart from each
/// other, so that nothing a guest says can pass for a fact.
#[derive(Debug, Serialize)]
pub struct Record {
    /// What the host knows.
    pub host: Host,
    /// What the guest says.
    pub guest: Entry,
}

/// What the host knows of an entry.
#[derive(Debug, Serialize)]
pub struct Host {
    /// The position in the log, counted from 1 without gaps.
    pub sequence: u64,
    /// When the entry was written, in UTC (RFC 3339).
    #[serde(serialize_with = "display")]
    pub time: jiff::Timestamp,
    /// The digest of the component that wrote it, as `sha256:…`.
    pub component: Arc<str>,
    /// The request in which it was written.
    #[serde(serialize_with = "display")]
    pub request_id: RequestId,
}

/// What a guest says of one action; see `entry` in `wit/`.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// What was done.
    pub action: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it was done to or with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Further facts, in the guest's order.
    pub attributes: Vec<Attribute>,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Denied,
    /// It did not work.
    Failure,
}

/// One named fact.
#[derive(Debug, Serialize)]
pub struct Attribute {
    /// What the fact is.
    pub name: String,
    /// The fact.
    pub value: String,
}

impl Record {
    /// Appends the record to `buffer` as one line of JSON.
    pub(super) fn write_line(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let mut serializer = serde_json::Serializer::with_formatter(&mut *buffer, OneLine);
        self.serialize(&mut serializer)?;
        buffer.push(b'\n');
        Ok(())
    }
}

fn display<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

/// JSON that looks on every screen like what it is.
///
/// Beyond what JSON demands this escapes every character that could make a
/// terminal or an editor show something else than what is there: all control
/// characters, line separators, and marks that turn the direction of text.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|&(_, c)| is_deceptive(c)) {
            CompactFormatter.write_string_fragment(writer, &rest[..at])?;
            // All of these lie below U+10000, so one escape is enough.
            write!(writer, "\\u{:04x}", u32::from(found))?;
            rest = &rest[at + found.len_utf8()..];
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' // direction marks
            | '\u{2028}' | '\u{2029}'            // line and paragraph separators
            | '\u{202a}'..='\u{202e}'            // embeddings and overrides
            | '\u{2066}'..='\u{2069}'            // isolates
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &str) -> String {
        let record = Record {
            host: Host {
                sequence: 1,
                time: jiff::Timestamp::UNIX_EPOCH,
                component: "sha256:00".into(),
                request_id: RequestId::next(),
            },
            guest: Entry {
                action: "act".to_owned(),
                outcome: Outcome::Denied,
                resource: None,
                attributes: vec![Attribute {
                    name: "n".to_owned(),
                    value: value.to_owned(),
                }],
            },
        };
        let mut line = Vec::new();
        record.write_line(&mut line).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_guest_cannot_end_the_line_or_turn_its_direction() {
        let hostile = "\n{\"host\":{}}\u{2028}\u{85}\u{202e}\u{1b}[2K\u{7f}\"\\";
        let line = line(hostile);
        let text = line.strip_suffix('\n').unwrap();
        assert!(!text.chars().any(is_deceptive), "{text}");
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(read["guest"]["attributes"][0]["value"], hostile);
        assert_eq!(read["host"]["sequence"], 1);
    }

    #[test]
    fn the_facts_of_the_host_and_the_words_of_the_guest_are_apart() {
        let read: serde_json::Value = serde_json::from_str(&line("v")).unwrap();
        assert_eq!(read["host"]["time"], "1970-01-01T00:00:00Z");
        assert_eq!(read["host"]["component"], "sha256:00");
        assert_eq!(read["guest"]["action"], "act");
        assert_eq!(read["guest"]["outcome"], "denied");
        assert_eq!(read.as_object().unwrap().len(), 2);
    }
}
