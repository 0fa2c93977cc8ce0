//! The section, module and nested component that contain a byte offset, for messages.

use std::fmt;

use wasmparser::{Encoding, Parser, Payload};

use super::sections::id;

/// The context of a byte offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OffsetContext {
    /// The enclosing components and modules from the outside in, such as `component 2` and
    /// `core module 1`; empty at the top level.
    nesting: Vec<String>,
    /// The kind of the section that contains the offset, if any.
    section: Option<&'static str>,
    /// The byte offset, counted from 0.
    offset: u64,
    /// Total length in bytes.
    length: usize,
}

/// Locates `offset`, as far as `bytes` can be parsed.
pub(crate) fn offset_context(bytes: &[u8], offset: u64) -> OffsetContext {
    let mut context = OffsetContext {
        nesting: Vec::new(),
        section: None,
        offset,
        length: bytes.len(),
    };
    let mut levels = vec![Level::default()];
    for payload in Parser::new(0).parse_all(bytes) {
        // The parse error is the one that the caller reports.
        let Ok(payload) = payload else {
            break;
        };
        let is_inner_module = levels.last().is_some_and(|level| level.is_module);
        if let Some((id, range)) = payload.as_section()
            && range.contains(&offset)
        {
            context.section = Some(kind(id, is_inner_module));
        }
        match payload {
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                let level = enter(&mut levels, "core module", true);
                if unchecked_range.contains(&offset) {
                    context.nesting.push(level);
                    context.section = None;
                }
            }
            Payload::ComponentSection {
                unchecked_range, ..
            } => {
                let level = enter(&mut levels, "component", false);
                if unchecked_range.contains(&offset) {
                    context.nesting.push(level);
                    context.section = None;
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
    context
}

/// One enclosing component or module, with the numbers of those that it contains so far.
#[derive(Debug, Default)]
struct Level {
    is_module: bool,
    modules: usize,
    components: usize,
}

/// Enters a nested level and returns its name.
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

impl fmt::Display for OffsetContext {
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
        write!(f, "at byte {} of {}", self.offset, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_described_by_section_and_nesting() {
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
            offset_context(&bytes, at as u64).to_string()
        };
        let length = bytes.len();
        let code = describe(&[0x41, 0xcd, 0x00]);
        assert!(
            code.starts_with("in the code of core module 1 of component 1, at byte "),
            "{code}"
        );
        assert!(code.ends_with(&format!(" of {length}")), "{code}");
        assert!(describe(b"here").starts_with("in the imports, at byte "));
        assert_eq!(offset_context(b"", 0).to_string(), "at byte 0 of 0");
    }
}
