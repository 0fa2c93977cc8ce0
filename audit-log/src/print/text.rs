//! Text output, one line a record.
//!
//! The facts of the host come first, and the guest's entry after the word `guest:`. A text
//! that is not a plain word is printed as a JSON string, so that no text can imitate another
//! field, end the line, or control the terminal.

use serde_json::Value;

use super::json;
use crate::record::Record;

/// The line of `record`, with its line feed.
pub(super) fn line(record: &Record<'_>) -> Vec<u8> {
    let host = &record.host;
    let mut words = vec![word(&host.time), host.sequence.to_string()];
    let mut named = |name: &str, value: &str| words.push(format!("{}={}", word(name), word(value)));
    if let Some(component) = &host.component {
        named("component", &component.name);
    }
    if let Some(request) = &host.request {
        named("request", &request.id);
        named("method", &request.method);
        named("path", &request.path);
        if let Some(principal) = &request.principal {
            named("principal", principal);
        }
        if let Some(peer) = &request.peer {
            named("peer", peer);
        }
    }
    if let Some(entry) = &record.guest {
        words.push("guest:".to_owned());
        words.push(word(&entry.action));
        words.push(json(&entry.outcome).trim_matches('"').to_owned());
        if let Some(resource) = &entry.resource {
            words.push(format!("resource={}", word(resource)));
        }
        let attributes = entry.attributes.iter();
        words.extend(attributes.map(|one| format!("{}={}", word(&one.name), word(&one.value))));
    }
    if let Some(event) = &record.event {
        words.push("event:".to_owned());
        let fields = serde_json::to_value(event).expect("an event is JSON");
        words.push(text(&fields["type"]));
        let fields = fields.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, _)| *name != "type");
        words.extend(fields.map(|(name, value)| format!("{name}={}", text(value))));
    }
    if let Some(checkpoint) = &record.checkpoint {
        words.push(format!(
            "checkpoint: sequence={} hash={} key={}",
            checkpoint.sequence, checkpoint.hash, checkpoint.public_key
        ));
    }
    let mut line = words.join(" ").into_bytes();
    line.push(b'\n');
    line
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), word)
}

/// `text` itself if it is a plain word, else as a JSON string.
fn word(text: &str) -> String {
    let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b':' | b'@' | b'+' | b'%' | b'~');
    // A word that ends with a colon, such as `guest:`, is a marker of this program.
    if !text.is_empty() && text.bytes().all(is_plain) && !text.ends_with(':') {
        text.to_owned()
    } else {
        json(&text)
    }
}
