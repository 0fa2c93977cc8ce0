//! Expansion: the nodes of a nested composition replace its own node.

use std::collections::{BTreeSet, VecDeque};

use super::{Decomposed, decompose};
use crate::binary::sections::{id, sections};
use crate::model::component::Component;
use crate::model::composition::{Composition, Export, Import, NamedType, Node, Wire};

/// Maximum number of nodes after expansion; a picture of more is not readable.
const MAX_NODES: usize = 500;

impl Composition {
    /// The composition that `component` is, with nested compositions expanded. A nested node
    /// is named with a slash: `outer/inner`.
    #[must_use]
    pub fn expanded(component: &Component) -> Self {
        match decompose(component) {
            Some(Decomposed { composition, parts }) => composition.expand(parts),
            None => Self::of(component),
        }
    }

    /// Expands the nodes that are compositions themselves. `parts` has the bytes of the parts
    /// by node name; a node without bytes is not expanded, nor is one with a wire that cannot
    /// be followed, or one that would exceed 500 nodes.
    #[must_use]
    pub fn expand<'b>(mut self, parts: impl IntoIterator<Item = (String, &'b [u8])>) -> Self {
        let mut parts: VecDeque<_> = parts
            .into_iter()
            .map(|(name, bytes)| (name, bytes.to_vec()))
            .collect();
        // Breadth first, so that the limit does not expand one part completely and the next
        // not at all.
        while let Some((name, bytes)) = parts.pop_front() {
            if has_code(&bytes) {
                continue;
            }
            let Ok(component) = Component::new(&name, bytes) else {
                continue;
            };
            let Some(Decomposed {
                composition,
                parts: inner,
            }) = decompose(&component)
            else {
                continue;
            };
            let nested = Nested { name, composition };
            if self.nodes.len() + nested.composition.nodes.len() <= MAX_NODES && nested.fits(&self)
            {
                let inner = inner.iter();
                let inner = inner.map(|(part, bytes)| (nested.full(part), bytes.to_vec()));
                parts.extend(inner);
                self = nested.expand_in(self);
            }
        }
        self.sorted()
    }
}

/// Whether a component has core modules of its own, so that it is not a composition.
fn has_code(bytes: &[u8]) -> bool {
    sections(bytes).is_none_or(|sections| {
        let mut sections = sections.iter();
        sections.any(|section| section.id == id::CORE_MODULE)
    })
}

/// A node that is a composition itself.
struct Nested {
    name: String,
    composition: Composition,
}

impl Nested {
    /// The name of an inner node in the outer composition.
    fn full(&self, inner: &str) -> String {
        format!("{}/{inner}", self.name)
    }

    /// Whether all inner names are unused, and each export of the node that `whole` uses
    /// comes from an inner node.
    fn fits(&self, whole: &Composition) -> bool {
        let names: BTreeSet<&str> = whole.nodes.iter().map(|part| &*part.name).collect();
        let mut inner = self.composition.nodes.iter();
        let wires = whole
            .wires
            .iter()
            .map(|wire| (&wire.provider, &wire.export));
        let exports = whole.exports.iter();
        let exports = exports.map(|export| (&export.provider, &export.export));
        let mut used = wires.chain(exports);
        inner.all(|part| !names.contains(&*self.full(&part.name)))
            && used
                .all(|(provider, export)| *provider != self.name || self.export(export).is_some())
    }

    /// The inner source of an export of the node.
    fn export(&self, name: &str) -> Option<&Export> {
        let mut exports = self.composition.exports.iter();
        exports.find(|export| export.name == name)
    }

    /// The provider of an export after expansion, and the name of the export there.
    fn source(&self, provider: String, export: String) -> (String, String) {
        match self.export(&export).filter(|_| provider == self.name) {
            Some(inner) => (self.full(&inner.provider), inner.export.clone()),
            None => (provider, export),
        }
    }

    /// The inner nodes that import what the node imports as `name`, each with its own name
    /// for the import.
    fn importers(&self, name: &str) -> impl Iterator<Item = (String, String)> {
        let imports = self.composition.imports.iter();
        let imports = imports.filter(move |import| import.name == name);
        imports.map(|import| (self.full(&import.importer), import.import.clone()))
    }

    /// `whole`, with the inner nodes in place of the node.
    fn expand_in(&self, whole: Composition) -> Composition {
        let Self { name, composition } = self;
        let mut nodes = whole.nodes;
        nodes.retain(|part| part.name != *name);
        nodes.extend(composition.nodes.iter().map(|node| Node {
            name: self.full(&node.name),
            ..node.clone()
        }));

        let mut wires = Vec::new();
        for wire in whole.wires {
            let (provider, export) = self.source(wire.provider, wire.export);
            let importers: Vec<_> = if wire.importer == *name {
                self.importers(&wire.import).collect()
            } else {
                vec![(wire.importer, wire.import)]
            };
            wires.extend(importers.into_iter().map(|(importer, import)| Wire {
                importer,
                import,
                provider: provider.clone(),
                export: export.clone(),
            }));
        }
        wires.extend(composition.wires.iter().map(|wire| Wire {
            importer: self.full(&wire.importer),
            provider: self.full(&wire.provider),
            ..wire.clone()
        }));

        let mut imports = Vec::new();
        for Import {
            importer,
            import,
            name: host,
        } in whole.imports
        {
            let importers: Vec<_> = if importer == *name {
                self.importers(&import).collect()
            } else {
                vec![(importer, import)]
            };
            imports.extend(importers.into_iter().map(|(importer, import)| Import {
                importer,
                import,
                name: host.clone(),
            }));
        }

        let exports = whole.exports.into_iter().map(|export| {
            let (provider, original) = self.source(export.provider, export.export);
            Export {
                name: export.name,
                provider,
                export: original,
            }
        });
        let mut named_types = whole.named_types;
        named_types.retain(|ty| ty.importer != *name);
        named_types.extend(composition.named_types.iter().map(|ty| NamedType {
            importer: self.full(&ty.importer),
            ..ty.clone()
        }));
        let inner = composition.undescribed.iter();
        let inner = inner.map(|undescribed| format!("in `{name}`: {undescribed}"));
        Composition {
            nodes,
            wires,
            imports,
            exports: exports.collect(),
            named_types,
            undescribed: whole.undescribed.into_iter().chain(inner).collect(),
            ..whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component that imports `import` and exports `export`, each an instance of one
    /// function.
    fn link_of_chain(import: &str, export: &str) -> String {
        format!(
            r#"(import "{import}" (instance $i (export "f" (func))))
               (core module $m (import "" "f" (func)) (export "f" (func 0)))
               (core func $f (canon lower (func $i "f")))
               (core instance $m (instantiate $m (with "" (instance (export "f" (func $f))))))
               (func $g (canon lift (core func $m "f")))
               (instance $e (export "f" (func $g)))
               (export "{export}" (instance $e))"#
        )
    }

    /// `a:a/x` through the parts `first` and `second` to `a:a/z`.
    fn pair() -> String {
        format!(
            r#"(import "a:a/x" (instance $x (export "f" (func))))
               (component $C {})
               (component $D {})
               (instance $first (instantiate $C (with "a:a/x" (instance $x))))
               (instance $second (instantiate $D (with "a:a/y" (instance $first "a:a/y"))))
               (export "a:a/z" (instance $second "a:a/z"))"#,
            link_of_chain("a:a/x", "a:a/y"),
            link_of_chain("a:a/y", "a:a/z"),
        )
    }

    fn component(fields: &str) -> Component {
        let bytes = wat::parse_str(format!("(component {fields})")).expect("valid WAT");
        Component::new("app", bytes).expect("a component")
    }

    #[test]
    fn expansion_follows_wires_into_a_nested_composition() {
        let nested = format!(
            r#"(import "a:a/w" (instance $w (export "f" (func))))
               (component $B {})
               (component $P {})
               (component $Q {})
               (instance $before (instantiate $B (with "a:a/w" (instance $w))))
               (instance $pair (instantiate $P (with "a:a/x" (instance $before "a:a/x"))))
               (instance $after (instantiate $Q (with "a:a/z" (instance $pair "a:a/z"))))
               (export "a:a/v" (instance $after "a:a/v"))
               (export "a:a/z" (instance $pair "a:a/z"))"#,
            link_of_chain("a:a/w", "a:a/x"),
            pair(),
            link_of_chain("a:a/z", "a:a/v"),
        );
        let expanded = Composition::expanded(&component(&nested));
        let names: Vec<_> = expanded.nodes.iter().map(|part| &*part.name).collect();
        assert_eq!(names, ["after", "before", "pair/first", "pair/second"]);
        let wires: Vec<_> = expanded.wires.iter().map(ToString::to_string).collect();
        assert_eq!(
            wires,
            [
                "after -- a:a/z --> pair/second",
                "pair/second -- a:a/y --> pair/first",
                "pair/first -- a:a/x --> before",
            ]
        );
        let imports = expanded.imports.iter().map(|import| &*import.importer);
        assert_eq!(imports.collect::<Vec<_>>(), ["before"]);
        let exports = expanded.exports.iter().map(|export| &*export.provider);
        assert_eq!(exports.collect::<Vec<_>>(), ["after", "pair/second"]);
    }

    #[test]
    fn expansion_attributes_host_imports_to_inner_nodes_at_any_depth() {
        let outer = |inner: &str| {
            format!(
                r#"(import "a:a/x" (instance $x (export "f" (func))))
                   (component $C {inner})
                   (instance $box (instantiate $C (with "a:a/x" (instance $x))))
                   (export "a:a/z" (instance $box "a:a/z"))"#
            )
        };
        let expanded = Composition::expanded(&component(&outer(&outer(&pair()))));
        let names: Vec<_> = expanded.nodes.iter().map(|part| &*part.name).collect();
        assert_eq!(names, ["box/box/first", "box/box/second"]);
        assert_eq!(expanded.imports.len(), 1);
        let Import {
            importer,
            import,
            name,
        } = &expanded.imports[0];
        assert_eq!(
            (&**importer, &**import, &**name),
            ("box/box/first", "a:a/x", "a:a/x")
        );
        assert_eq!(expanded.exports[0].provider, "box/box/second");
        assert!(expanded.undescribed.is_empty());
    }

    #[test]
    fn a_node_whose_whole_instance_is_exported_is_not_expanded() {
        let whole = format!(
            r#"(import "a:a/x" (instance $x (export "f" (func))))
               (component $P {})
               (instance $pair (instantiate $P (with "a:a/x" (instance $x))))
               (export "all" (instance $pair))"#,
            pair()
        );
        let component = component(&whole);
        assert_eq!(
            Composition::expanded(&component),
            Composition::of(&component)
        );
    }

    #[test]
    fn expansion_stops_at_the_maximum_number_of_nodes() {
        let mut fields = "(core module)".to_owned();
        for _ in 0..14 {
            fields = format!(
                "(component $c {fields}) (instance (instantiate $c)) (instance (instantiate $c))"
            );
        }
        let expanded = Composition::expanded(&component(&fields));
        assert!((250..=MAX_NODES).contains(&expanded.nodes.len()));
    }
}
