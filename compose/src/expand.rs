//! Expanding: in a structure, what a part consists of takes the place of the part.

use std::collections::{BTreeSet, VecDeque};

use crate::component::Component;
use crate::decompose::{Decomposed, decompose};
use crate::sections::{id, sections};
use crate::structure::{Export, Import, NamedType, Part, Structure, Wire};

/// The most parts that a structure is expanded to: more than a picture can show.
const MAXIMUM_PARTS: usize = 500;

impl Structure {
    /// What `component` consists of, down to the parts that are no compositions. A part of
    /// a part is named with a slash: `outer/inner`.
    #[must_use]
    pub fn expanded(component: &Component) -> Self {
        match decompose(component) {
            Some(Decomposed { structure, parts }) => structure.expand(parts),
            None => Self::of(component),
        }
    }

    /// The same structure with what its parts consist of in their places. `parts` has the
    /// bytes of each part by its name; a part without them stays as it is, and so does one
    /// of which a wire cannot be followed, or with which there would be too many.
    #[must_use]
    pub fn expand<'b>(mut self, parts: impl IntoIterator<Item = (String, &'b [u8])>) -> Self {
        let mut parts: VecDeque<_> = parts
            .into_iter()
            .map(|(name, bytes)| (name, bytes.to_vec()))
            .collect();
        // Those of the whole first, so that no part is shown to its last detail and the next
        // not at all.
        while let Some((name, bytes)) = parts.pop_front() {
            if has_code(&bytes) {
                continue;
            }
            let Ok(component) = Component::new(&name, bytes) else {
                continue;
            };
            let Some(Decomposed {
                structure,
                parts: inner,
            }) = decompose(&component)
            else {
                continue;
            };
            let inside = Inside { name, structure };
            if self.parts.len() + inside.structure.parts.len() <= MAXIMUM_PARTS
                && inside.fits(&self)
            {
                let inner = inner.iter();
                let inner = inner.map(|(part, bytes)| (inside.full(part), bytes.to_vec()));
                parts.extend(inner);
                self = inside.put_into(self);
            }
        }
        self.sorted()
    }
}

/// Whether a component has code of its own, so that it is no composition.
fn has_code(bytes: &[u8]) -> bool {
    sections(bytes).is_none_or(|sections| {
        let mut sections = sections.iter();
        sections.any(|section| section.id == id::CORE_MODULE)
    })
}

/// A part that is a composition, and what is in it.
struct Inside {
    name: String,
    structure: Structure,
}

impl Inside {
    /// The name of an inner part in the whole.
    fn full(&self, inner: &str) -> String {
        format!("{}/{inner}", self.name)
    }

    /// Whether each name is free, and each export that `whole` uses of the part is that of
    /// an inner part.
    fn fits(&self, whole: &Structure) -> bool {
        let names: BTreeSet<&str> = whole.parts.iter().map(|part| &*part.name).collect();
        let mut inner = self.structure.parts.iter();
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

    /// Where an export of the part comes from.
    fn export(&self, name: &str) -> Option<&Export> {
        let mut exports = self.structure.exports.iter();
        exports.find(|export| export.name == name)
    }

    /// The provider of an export, and the name that it has there.
    fn source(&self, provider: String, export: String) -> (String, String) {
        match self.export(&export).filter(|_| provider == self.name) {
            Some(inner) => (self.full(&inner.provider), inner.export.clone()),
            None => (provider, export),
        }
    }

    /// The inner parts, as importers of what the part imports as `name`, each with the name
    /// that the import has there.
    fn importers(&self, name: &str) -> impl Iterator<Item = (String, String)> {
        let imports = self.structure.imports.iter();
        let imports = imports.filter(move |import| import.name == name);
        imports.map(|import| (self.full(&import.importer), import.import.clone()))
    }

    /// `whole`, with what is in the part in place of the part.
    fn put_into(&self, whole: Structure) -> Structure {
        let Self { name, structure } = self;
        let mut parts = whole.parts;
        parts.retain(|part| part.name != *name);
        parts.extend(structure.parts.iter().map(|part| Part {
            name: self.full(&part.name),
            ..part.clone()
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
        wires.extend(structure.wires.iter().map(|wire| Wire {
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
        named_types.extend(structure.named_types.iter().map(|ty| NamedType {
            importer: self.full(&ty.importer),
            ..ty.clone()
        }));
        let inner = structure.undescribed.iter();
        let inner = inner.map(|undescribed| format!("in `{name}`: {undescribed}"));
        Structure {
            parts,
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
    fn wires_go_on_to_the_parts_within_a_part() {
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
        let expanded = Structure::expanded(&component(&nested));
        let names: Vec<_> = expanded.parts.iter().map(|part| &*part.name).collect();
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
    fn imports_of_the_host_are_those_of_inner_parts_at_any_depth() {
        let outer = |inner: &str| {
            format!(
                r#"(import "a:a/x" (instance $x (export "f" (func))))
                   (component $C {inner})
                   (instance $box (instantiate $C (with "a:a/x" (instance $x))))
                   (export "a:a/z" (instance $box "a:a/z"))"#
            )
        };
        let expanded = Structure::expanded(&component(&outer(&outer(&pair()))));
        let names: Vec<_> = expanded.parts.iter().map(|part| &*part.name).collect();
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
    fn a_part_whose_instance_is_passed_on_as_a_whole_stays_a_part() {
        let whole = format!(
            r#"(import "a:a/x" (instance $x (export "f" (func))))
               (component $P {})
               (instance $pair (instantiate $P (with "a:a/x" (instance $x))))
               (export "all" (instance $pair))"#,
            pair()
        );
        let component = component(&whole);
        assert_eq!(Structure::expanded(&component), Structure::of(&component));
    }

    #[test]
    fn parts_that_double_at_each_level_are_not_followed_for_ever() {
        let mut fields = "(core module)".to_owned();
        for _ in 0..14 {
            fields = format!(
                "(component $c {fields}) (instance (instantiate $c)) (instance (instantiate $c))"
            );
        }
        let expanded = Structure::expanded(&component(&fields));
        assert!((250..=MAXIMUM_PARTS).contains(&expanded.parts.len()));
    }
}
