//! Says in words where in a component a byte is.

use std::fmt;

use wasmparser::{Encoding, Parser, Payload};

use crate::sections::id;

/// Where a byte is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// From the outermost to the innermost, such as `component 2` and `core module 1`;
    /// nothing if it is in the component itself.
    nesting: Vec<String>,
    /// The kind of the section, if it is in one.
    section: Option<&'static str>,
    /// The number of the byte, from 0 on.
    byte: u64,
    /// How many bytes there are.
    length: usize,
}

/// Finds the byte numbered `byte` as far as `bytes` can be read.
pub(crate) fn place(bytes: &[u8], byte: u64) -> Place {
    let mut place = Place {
        nesting: Vec::new(),
        section: None,
        byte,
        length: bytes.len(),
    };
    // For each level, where it ends and how many components and modules it had.
    let mut levels = vec![Level::default()];
    for payload in Parser::new(0).parse_all(bytes) {
        // What cannot be read is what the error is about.
        let Ok(payload) = payload else {
            break;
        };
        let is_inner_module = levels.last().is_some_and(|level| level.is_module);
        if let Some((id, range)) = payload.as_section()
            && range.contains(&byte)
        {
            place.section = Some(kind(id, is_inner_module));
        }
        match payload {
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                let level = enter(&mut levels, "core module", true);
                if unchecked_range.contains(&byte) {
                    place.nesting.push(level);
                    place.section = None;
                }
            }
            Payload::ComponentSection {
                unchecked_range, ..
            } => {
                let level = enter(&mut levels, "component", false);
                if unchecked_range.contains(&byte) {
                    place.nesting.push(level);
                    place.section = None;
                }
            }
            Payload::Version { encoding, .. } => {
                if let Some(level) = levels.last_mut() {
                    level.is_module = encoding == Encoding::Module;
                }
            }
            Payload::End(_) => {
                levels.pop();
            }
            _ => {}
        }
    }
    place
}

#[derive(Debug, Default)]
struct Level {
    is_module: bool,
    modules: usize,
    components: usize,
}

/// Begins a level inside the current one, and names it.
fn enter(levels: &mut Vec<Level>, what: &str, is_module: bool) -> String {
    let mut number = 1;
    if let Some(level) = levels.last_mut() {
        let count = if is_module {
            &mut level.modules
        } else {
            &mut level.components
        };
        *count += 1;
        number = *count;
    }
    levels.push(Level::default());
    format!("{what} {number}")
}

fn kind(section: u8, is_module: bool) -> &'static str {
    if is_module {
        return match section {
            0 => "a custom section",
            1 => "the types",
            2 => "the imports",
            3 => "the functions",
            4 => "the tables",
            5 => "the memories",
            6 => "the globals",
            7 => "the exports",
            8 => "the start function",
            9 => "the elements",
            10 => "the code",
            11 => "the data",
            _ => "a section",
        };
    }
    match section {
        id::CUSTOM => "a custom section",
        id::CORE_INSTANCE => "the core instances",
        id::INSTANCE => "the instances",
        id::ALIAS => "the aliases",
        id::TYPE => "the types",
        id::CANON => "the canonical functions",
        id::IMPORT => "the imports",
        id::EXPORT => "the exports",
        _ => "a section",
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(section) = self.section {
            write!(f, "in {section}")?;
            for level in self.nesting.iter().rev() {
                write!(f, " of {level}")?;
            }
            f.write_str(", ")?;
        } else if !self.nesting.is_empty() {
            let nesting: Vec<&str> = self.nesting.iter().rev().map(String::as_str).collect();
            write!(f, "in {}, ", nesting.join(" of "))?;
        }
        write!(f, "at byte {} of {}", self.byte, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_described_by_what_is_around_it() {
        let bytes = wat::parse_str(
            r#"(component
                (core module)
                (component
                    (core module (func) (func (i32.const 77) drop)))
                (import "here" (func)))"#,
        )
        .expect("valid WAT");
        let describe = |needle: &[u8]| {
            let mut windows = bytes.windows(needle.len());
            let at = windows.position(|window| window == needle).expect("there");
            place(&bytes, at as u64).to_string()
        };
        let length = bytes.len();
        let code = describe(&[0x41, 0xcd, 0x00]);
        assert!(
            code.starts_with("in the code of core module 1 of component 1, at byte "),
            "{code}"
        );
        assert!(code.ends_with(&format!(" of {length}")), "{code}");
        assert!(describe(b"here").starts_with("in the imports, at byte "));
        assert_eq!(place(b"", 0).to_string(), "at byte 0 of 0");
    }
}
