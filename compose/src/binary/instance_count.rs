//! The number of instances that a component makes, counted without instantiating it.
//!
//! A component may instantiate a nested one twice, and that one the next: 2,000 bytes are
//! enough for a thousand million instances. Every traversal of instances checks this
//! number first.

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentAliasSectionReader, ComponentExportSectionReader,
    ComponentExternalKind, ComponentImportSectionReader, ComponentInstance,
    ComponentInstanceSectionReader, ComponentOuterAliasKind, InstanceSectionReader,
};

use super::sections::{id, sections};

/// Maximum number of instances that a traversal visits; compositions that run have far
/// fewer.
pub(crate) const MAX_INSTANCES: u64 = 100_000;

/// The number of instances that one instance of the component in `bytes` consists of.
pub(crate) fn instance_count(bytes: &[u8]) -> u64 {
    instances(bytes, &mut Vec::new())
}

/// The same for a nested component; `definitions` has, for each enclosing component, the
/// instance counts of the components that it has defined so far.
fn instances(bytes: &[u8], definitions: &mut Vec<Vec<u64>>) -> u64 {
    definitions.push(Vec::new());
    let mut count = 1_u64;
    for section in sections(bytes).unwrap_or_default() {
        let content = &bytes[section.content.clone()];
        count = count.saturating_add(read(section.id, content, definitions).unwrap_or(0));
    }
    definitions.pop();
    count
}

/// Reads one section and returns the number of instances that it makes, or `None` if it
/// cannot be parsed.
fn read(section: u8, content: &[u8], definitions: &mut Vec<Vec<u64>>) -> Option<u64> {
    let reader = BinaryReader::new(content, 0);
    let mut count = 0_u64;
    match section {
        id::COMPONENT => {
            // A nested component starts with the same preamble.
            let nested = instances(content, definitions);
            define(definitions, nested);
        }
        id::CORE_INSTANCE => {
            count = u64::from(InstanceSectionReader::new(reader).ok()?.count());
        }
        id::INSTANCE => {
            for instance in ComponentInstanceSectionReader::new(reader).ok()? {
                if let ComponentInstance::Instantiate {
                    component_index, ..
                } = instance.ok()?
                {
                    count = count.saturating_add(defined(definitions, 0, component_index));
                }
            }
        }
        id::IMPORT => {
            for import in ComponentImportSectionReader::new(reader).ok()? {
                if import.ok()?.ty.kind() == ComponentExternalKind::Component {
                    define(definitions, 1);
                }
            }
        }
        id::ALIAS => {
            for alias in ComponentAliasSectionReader::new(reader).ok()? {
                match alias.ok()? {
                    ComponentAlias::Outer {
                        kind: ComponentOuterAliasKind::Component,
                        count,
                        index,
                    } => {
                        let known = defined(definitions, count, index);
                        define(definitions, known);
                    }
                    // Its definition is unknown, so that one instance exceeds the limit.
                    ComponentAlias::InstanceExport {
                        kind: ComponentExternalKind::Component,
                        ..
                    } => define(definitions, MAX_INSTANCES),
                    _ => {}
                }
            }
        }
        id::EXPORT => {
            for export in ComponentExportSectionReader::new(reader).ok()? {
                let export = export.ok()?;
                if export.kind == ComponentExternalKind::Component {
                    let known = defined(definitions, 0, export.index);
                    define(definitions, known);
                }
            }
        }
        _ => {}
    }
    Some(count)
}

fn define(definitions: &mut [Vec<u64>], instances: u64) {
    if let Some(innermost) = definitions.last_mut() {
        innermost.push(instances);
    }
}

/// The instance count of a component that is defined `levels` levels further out.
fn defined(definitions: &[Vec<u64>], levels: u32, index: u32) -> u64 {
    let level = definitions.iter().rev().nth(levels as usize);
    let known = level.and_then(|level| level.get(index as usize));
    known.copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component of `levels` levels, each of which makes two instances of the next.
    fn doubling(levels: usize) -> Vec<u8> {
        let mut text = "(component $c (import \"f\" (func)))".to_owned();
        for _ in 0..levels {
            text = format!(
                "(component $c (import \"f\" (func $f)) {text}
                    (instance (instantiate $c (with \"f\" (func $f))))
                    (instance (instantiate $c (with \"f\" (func $f)))))"
            );
        }
        wat::parse_str(text).expect("valid WAT")
    }

    #[test]
    fn instance_count_is_computed_without_instantiation() {
        let count = |levels| instance_count(&doubling(levels));
        assert_eq!(count(0), 1);
        assert_eq!(count(3), 15);
        assert!(count(10) <= MAX_INSTANCES);
        assert!(count(30) > MAX_INSTANCES);
    }
}
