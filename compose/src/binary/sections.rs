//! The outermost sections of a component, without parsing their contents.
//!
//! Verification needs them from bytes that are damaged within a section, which a full
//! parser rejects.

use std::ops::Range;

/// The preamble of every component: magic number, version and layer.
const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

/// Section identifiers of the component model's binary format.
pub(crate) mod id {
    pub(crate) const CUSTOM: u8 = 0;
    pub(crate) const CORE_MODULE: u8 = 1;
    pub(crate) const CORE_INSTANCE: u8 = 2;
    pub(crate) const COMPONENT: u8 = 4;
    pub(crate) const INSTANCE: u8 = 5;
    pub(crate) const ALIAS: u8 = 6;
    pub(crate) const TYPE: u8 = 7;
    pub(crate) const CANON: u8 = 8;
    pub(crate) const START: u8 = 9;
    pub(crate) const IMPORT: u8 = 10;
    pub(crate) const EXPORT: u8 = 11;
}

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) id: u8,
    /// Offset of its identifier.
    pub(crate) start: usize,
    /// Range of its contents.
    pub(crate) content: Range<usize>,
}

/// The sections of a component, or `None` if their sizes do not add up to the length of
/// `bytes`.
pub(crate) fn sections(bytes: &[u8]) -> Option<Vec<Section>> {
    if !bytes.starts_with(PREAMBLE) {
        return None;
    }
    let mut sections = Vec::new();
    let mut at = PREAMBLE.len();
    while at < bytes.len() {
        let (size, length) = leb128(bytes.get(at + 1..)?)?;
        let begin = at + 1 + length;
        let end = begin.checked_add(usize::try_from(size).ok()?)?;
        if end > bytes.len() {
            return None;
        }
        sections.push(Section {
            id: bytes[at],
            start: at,
            content: begin..end,
        });
        at = end;
    }
    Some(sections)
}

/// Name and data of a custom section.
pub(crate) fn custom(content: &[u8]) -> Option<(&str, &[u8])> {
    let (size, length) = leb128(content)?;
    let end = length.checked_add(usize::try_from(size).ok()?)?;
    let name = std::str::from_utf8(content.get(length..end)?).ok()?;
    Some((name, &content[end..]))
}

/// An unsigned LEB128 integer of at most 32 bits, and its encoded length in bytes.
fn leb128(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_located_without_parsing_their_contents() {
        let bytes = [PREAMBLE, &[0, 3, 1, b'a', 7], &[4, 0x81, 0x00, 9]].concat();
        let sections = sections(&bytes).expect("sizes add up");
        assert_eq!(sections[0].content, 10..13);
        assert_eq!(custom(&bytes[10..13]), Some(("a", [7].as_slice())));
        assert_eq!(
            (sections[1].start, sections[1].content.clone()),
            (13, 16..17)
        );
    }

    #[test]
    fn section_sizes_that_do_not_add_up_are_rejected() {
        for end in [&[0_u8, 9][..], &[0], &[0, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(sections(&[PREAMBLE, end].concat()), None);
        }
        assert_eq!(sections(b"\0asm\x01\0\0\0"), None);
    }
}
