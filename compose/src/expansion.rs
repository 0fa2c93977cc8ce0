//! How many instances a component makes, before anything makes them.
//!
//! A component may instantiate a nested one twice, and that one the next: two
//! thousand bytes are enough for a thousand million instances. Whatever follows each
//! of them has to ask here first.

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentAliasSectionReader, ComponentExportSectionReader,
    ComponentExternalKind, ComponentImportSectionReader, ComponentInstance,
    ComponentInstanceSectionReader, ComponentOuterAliasKind, InstanceSectionReader,
};

use crate::component::Component;
use crate::sections::{id, sections};

/// More than any composition that is meant to run.
const MAXIMUM: u64 = 100_000;

/// Whether all instances of `component` can be followed one by one.
pub(crate) fn is_bounded(component: &Component) -> bool {
    let mut definitions = Vec::new();
    instances(component.bytes(), &mut definitions) <= MAXIMUM
}

/// How many instances an instance of the component in `bytes` consists of; of those
/// around it, `definitions` has what is known of each component that they define.
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

/// Takes one section: the instances that it makes. Nothing if it cannot be read.
fn read(section: u8, content: &[u8], definitions: &mut Vec<Vec<u64>>) -> Option<u64> {
    let reader = BinaryReader::new(content, 0);
    let mut count = 0_u64;
    match section {
        id::COMPONENT => {
            // The preamble of a nested component is that of any other.
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
                    // Nothing is known of it, so that making one is too much.
                    ComponentAlias::InstanceExport {
                        kind: ComponentExternalKind::Component,
                        ..
                    } => define(definitions, MAXIMUM),
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

/// What is known of a component, so many levels further out.
fn defined(definitions: &[Vec<u64>], levels: u32, index: u32) -> u64 {
    let level = definitions.iter().rev().nth(levels as usize);
    let known = level.and_then(|level| level.get(index as usize));
    known.copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many levels, of which each makes two instances of the next.
    fn doubling(levels: usize) -> Component {
        let mut text = "(component $c (import \"f\" (func)))".to_owned();
        for _ in 0..levels {
            text = format!(
                "(component $c (import \"f\" (func $f)) {text}
                    (instance (instantiate $c (with \"f\" (func $f))))
                    (instance (instantiate $c (with \"f\" (func $f)))))"
            );
        }
        let bytes = wat::parse_str(text).expect("valid WAT");
        Component::new("doubling", bytes).expect("valid")
    }

    #[test]
    fn instances_are_counted_without_being_made() {
        let count = |levels| instances(doubling(levels).bytes(), &mut Vec::new());
        assert_eq!(count(0), 1);
        assert_eq!(count(3), 15);
        assert!(is_bounded(&doubling(10)));
        assert!(!is_bounded(&doubling(30)));
    }
}
