//! A structure, made ready to be drawn.

use std::collections::{BTreeMap, BTreeSet};

use super::interface::{Interface, is_wasi};
use super::size::binary_size;
use crate::structure::{self, Structure};

/// What there is to draw. Parts and packages are known by their index.
pub(super) struct Model<'a> {
    /// The name of the whole.
    pub(super) name: &'a str,
    /// How many parts there are, and their size.
    pub(super) summary: String,
    /// The parts, and after them what is mentioned without being one.
    pub(super) parts: Vec<Part<'a>>,
    /// Each wire once.
    pub(super) wires: BTreeSet<Wire<'a>>,
    /// The packages that the whole imports from its host, by name.
    pub(super) packages: Vec<Package<'a>>,
    /// What one part imports from one package.
    pub(super) imports: Vec<Imports<'a>>,
    /// Each export once.
    pub(super) exports: BTreeSet<Export<'a>>,
}

/// A box of the picture.
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    /// Its size, for people.
    pub(super) size: String,
}

/// An import that another part satisfies.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wire<'a> {
    pub(super) importer: usize,
    pub(super) import: &'a str,
    pub(super) provider: usize,
    pub(super) export: &'a str,
}

/// Interfaces of one package that the host has to offer.
pub(super) struct Package<'a> {
    pub(super) name: String,
    /// The interfaces, with package and version.
    pub(super) interfaces: BTreeSet<&'a str>,
    /// Whether it is WASI.
    pub(super) is_wasi: bool,
}

/// The imports of one part that belong together on both sides.
pub(super) struct Imports<'a> {
    pub(super) importer: usize,
    /// The package, as the part names it.
    pub(super) package: String,
    /// The package of the host.
    pub(super) provider: usize,
    /// The interfaces, as the part and as the whole names them.
    pub(super) interfaces: BTreeSet<(&'a str, &'a str)>,
}

/// An export of the whole.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Export<'a> {
    pub(super) name: &'a str,
    pub(super) provider: usize,
    /// The interface, as the part names it.
    pub(super) original: &'a str,
}

impl<'a> Model<'a> {
    /// Prepares `structure`, which need not be consistent.
    pub(super) fn new(structure: &'a Structure) -> Self {
        let (parts, index) = parts(structure);
        let index = |name: &'a str| index.get(name).copied().unwrap_or_default();
        let wires = structure.wires.iter().map(|wire| Wire {
            importer: index(&wire.importer),
            import: &wire.import,
            provider: index(&wire.provider),
            export: &wire.export,
        });
        let exports = structure.exports.iter().map(|export| Export {
            name: &export.name,
            provider: index(&export.provider),
            original: &export.export,
        });
        let packages = packages(&structure.imports);
        Self {
            name: &structure.name,
            summary: summary(structure),
            wires: wires.collect(),
            imports: imports(&structure.imports, &packages, index),
            packages,
            exports: exports.collect(),
            parts,
        }
    }
}

impl Model<'_> {
    /// A wire in words.
    pub(super) fn wire_text(&self, wire: &Wire<'_>) -> String {
        let importer = self.parts[wire.importer].name;
        let provider = self.parts[wire.provider].name;
        let text = format!("{importer} imports {} from {provider}", wire.import);
        if wire.import == wire.export {
            return text;
        }
        format!("{text}, as {}", wire.export)
    }

    /// An export in words.
    pub(super) fn export_text(&self, export: &Export<'_>) -> String {
        let provider = self.parts[export.provider].name;
        let text = format!("The whole exports {} of {provider}", export.name);
        if export.name == export.original {
            return text;
        }
        format!("{text}, there {}", export.original)
    }

    /// In words, what a part leaves to the host.
    pub(super) fn imports_text(&self, imports: &Imports<'_>) -> String {
        let importer = self.parts[imports.importer].name;
        let names = imports.interfaces.iter();
        let names = names.map(|&(import, name)| {
            if import == name {
                return name.to_owned();
            }
            format!("{import} (as {name})")
        });
        let names = names.collect::<Vec<_>>().join(", ");
        format!("{importer} imports {names} from the host")
    }
}

impl<'a> Imports<'a> {
    /// The interfaces within their package, as the part names them.
    pub(super) fn items(&self) -> impl Iterator<Item = &'a str> {
        let names = self.interfaces.iter();
        names.filter_map(|(import, _)| Interface::new(import).item)
    }

    /// The interface, if it is only one.
    pub(super) fn only(&self) -> Option<&'a str> {
        let first = self
            .interfaces
            .first()
            .filter(|_| self.interfaces.len() == 1);
        first.map(|(import, _)| *import)
    }

    /// What distinguishes the interfaces, if the names of the host are known: the
    /// whole name where the part uses another.
    pub(super) fn labels(&self) -> impl Iterator<Item = &'a str> {
        self.interfaces.iter().map(|&(import, name)| {
            let item = Interface::new(import).item;
            item.filter(|_| import == name).unwrap_or(import)
        })
    }
}

fn parts(structure: &Structure) -> (Vec<Part<'_>>, BTreeMap<&str, usize>) {
    let mut index = BTreeMap::new();
    let mut parts = Vec::new();
    for part in &structure.parts {
        index.entry(part.name.as_str()).or_insert(parts.len());
        parts.push(Part {
            name: &part.name,
            size: binary_size(part.size_bytes),
        });
    }
    let wires = structure.wires.iter();
    let mentioned = wires
        .flat_map(|wire| [&wire.importer, &wire.provider])
        .chain(structure.imports.iter().map(|import| &import.importer))
        .chain(structure.exports.iter().map(|export| &export.provider));
    for name in mentioned {
        index.entry(name).or_insert_with(|| {
            parts.push(Part {
                name,
                size: "size unknown".to_owned(),
            });
            parts.len() - 1
        });
    }
    (parts, index)
}

fn packages(imports: &[structure::Import]) -> Vec<Package<'_>> {
    let mut packages = BTreeMap::<String, BTreeSet<&str>>::new();
    for import in imports {
        let Interface { package, .. } = Interface::new(&import.name);
        packages.entry(package).or_default().insert(&import.name);
    }
    packages
        .into_iter()
        .map(|(name, interfaces)| Package {
            is_wasi: is_wasi(&name),
            name,
            interfaces,
        })
        .collect()
}

fn imports<'a>(
    imports: &'a [structure::Import],
    packages: &[Package<'a>],
    index: impl Fn(&'a str) -> usize,
) -> Vec<Imports<'a>> {
    let mut together = BTreeMap::<_, BTreeSet<_>>::new();
    for import in imports {
        let Interface { package, .. } = Interface::new(&import.import);
        let Interface { package: host, .. } = Interface::new(&import.name);
        let Ok(provider) = packages.binary_search_by(|package| package.name.cmp(&host)) else {
            continue;
        };
        together
            .entry((index(&import.importer), package, provider))
            .or_default()
            .insert((import.import.as_str(), import.name.as_str()));
    }
    together
        .into_iter()
        .map(|((importer, package, provider), interfaces)| Imports {
            importer,
            package,
            provider,
            interfaces,
        })
        .collect()
}

/// How much there is, and whether some of it has no place in the picture.
fn summary(structure: &Structure) -> String {
    let sizes = structure.parts.iter().map(|part| part.size_bytes);
    let size = binary_size(sizes.fold(0, u64::saturating_add));
    let parts = match structure.parts.len() {
        0 => "no parts".to_owned(),
        1 => format!("1 part, {size}"),
        count => format!("{count} parts, {size}"),
    };
    match structure.undescribed.len() {
        0 => parts,
        1 => format!("{parts}, 1 connection not shown"),
        count => format!("{parts}, {count} connections not shown"),
    }
}
