//! An entry as one line of JSON.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write;

use crate::bindings::exports::runner::audit::audit_log::{Entry, Error, Outcome};

/// Maximum total length of the strings of an entry, in bytes.
const MAX_ENTRY_BYTES: usize = 4096;

/// Maximum number of attributes of an entry.
const MAX_ATTRIBUTES: usize = 16;

/// Renders `entry` as a line with a line feed at its end.
///
/// # Errors
///
/// Rejects an entry that violates the contract of `audit-log`.
pub(crate) fn render(sequence: u64, entry: &Entry) -> Result<String, Error> {
    check(entry)?;
    let outcome = match entry.outcome {
        Outcome::Success => "success",
        Outcome::Denied => "denied",
        Outcome::Failure => "failure",
    };
    let mut line = format!(r#"{{"sequence":{sequence},"action":"#);
    push_string(&mut line, &entry.action);
    line.push_str(r#","outcome":"#);
    push_string(&mut line, outcome);
    if let Some(resource) = &entry.resource {
        line.push_str(r#","resource":"#);
        push_string(&mut line, resource);
    }
    line.push_str(r#","attributes":["#);
    for (index, attribute) in entry.attributes.iter().enumerate() {
        line.push_str(if index == 0 {
            r#"{"name":"#
        } else {
            r#",{"name":"#
        });
        push_string(&mut line, &attribute.name);
        line.push_str(r#","value":"#);
        push_string(&mut line, &attribute.value);
        line.push('}');
    }
    line.push_str("]}\n");
    Ok(line)
}

fn check(entry: &Entry) -> Result<(), Error> {
    let attributes = &entry.attributes;
    if entry.action.is_empty() {
        return Err(Error::Invalid("the action is empty".to_string()));
    }
    if attributes.iter().any(|attribute| attribute.name.is_empty()) {
        return Err(Error::Invalid(
            "the name of an attribute is empty".to_string(),
        ));
    }
    if attributes.len() > MAX_ATTRIBUTES {
        let found = attributes.len();
        return Err(Error::Invalid(format!(
            "{found} attributes, at most {MAX_ATTRIBUTES} are allowed"
        )));
    }
    let resource = entry.resource.as_ref().map_or(0, String::len);
    let facts = attributes.iter().map(|a| a.name.len() + a.value.len());
    let found = entry.action.len() + resource + facts.sum::<usize>();
    if found > MAX_ENTRY_BYTES {
        return Err(Error::TooLarge(format!(
            "{found} bytes, at most {MAX_ENTRY_BYTES} are allowed"
        )));
    }
    Ok(())
}

/// Appends `text` as a JSON string.
///
/// In addition to the escapes that JSON requires, all characters are escaped that change what a
/// terminal or an editor displays: control characters, line separators, and marks that change
/// the direction of text.
fn push_string(line: &mut String, text: &str) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            // All of these are below U+10000, so one escape suffices.
            character if is_deceptive(character) => {
                let _ = write!(line, "\\u{:04x}", u32::from(character));
            }
            character => line.push(character),
        }
    }
    line.push('"');
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
    use crate::bindings::exports::runner::audit::audit_log::Attribute;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn entry(attributes: Vec<Attribute>) -> Entry {
        Entry {
            action: "encrypt".to_string(),
            outcome: Outcome::Success,
            resource: Some("caesar".to_string()),
            attributes,
        }
    }

    fn attribute(name: &str, value: &str) -> Attribute {
        Attribute {
            name: name.to_string(),
            value: value.to_string(),
        }
    }

    #[test]
    fn an_entry_is_one_line_of_json() {
        let line = render(7, &entry(vec![attribute("a", "1"), attribute("b", "")])).unwrap();
        assert_eq!(
            line,
            concat!(
                r#"{"sequence":7,"action":"encrypt","outcome":"success","resource":"caesar","#,
                r#""attributes":[{"name":"a","value":"1"},{"name":"b","value":""}]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn an_entry_without_a_resource_has_no_resource_member() {
        let entry = Entry {
            resource: None,
            ..entry(vec![])
        };
        assert!(!render(1, &entry).unwrap().contains("resource"));
    }

    #[test]
    fn at_most_16_attributes_and_4096_bytes_are_accepted() {
        let sixteen = vec![attribute("n", ""); 16];
        assert!(render(1, &entry(sixteen)).is_ok());
        let seventeen = vec![attribute("n", ""); 17];
        assert!(matches!(
            render(1, &entry(seventeen)),
            Err(Error::Invalid(_))
        ));

        let rest = 4096 - "encrypt".len() - "caesar".len() - "n".len();
        let full = vec![attribute("n", &"v".repeat(rest))];
        assert!(render(1, &entry(full)).is_ok());
        let over = vec![attribute("n", &"v".repeat(rest + 1))];
        assert!(matches!(render(1, &entry(over)), Err(Error::TooLarge(_))));
    }

    #[test]
    fn empty_action_and_attribute_names_are_rejected() {
        let nameless = entry(vec![attribute("", "v")]);
        assert!(matches!(render(1, &nameless), Err(Error::Invalid(_))));
        let inactive = Entry {
            action: String::new(),
            ..entry(vec![])
        };
        assert!(matches!(render(1, &inactive), Err(Error::Invalid(_))));
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_line_of_json_without_deceptive_characters(value in any::<String>()) {
            prop_assume!(value.len() < 4000);
            let line = render(1, &entry(vec![attribute("n", &value)])).unwrap();
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(!body.chars().any(is_deceptive));
            let read: serde_json::Value = serde_json::from_str(body).unwrap();
            prop_assert_eq!(read["attributes"][0]["value"].as_str(), Some(value.as_str()));
        }
    }

    #[test]
    fn deceptive_characters_are_escaped() {
        let value = "\u{0}\n\u{1b}[2J\u{7f}\u{9b}\u{2028}\u{202e}\u{2066}";
        let line = render(1, &entry(vec![attribute("n", value)])).unwrap();
        assert!(line.contains(r"\u0000\u000a\u001b[2J\u007f\u009b\u2028\u202e\u2066"));
    }
}
