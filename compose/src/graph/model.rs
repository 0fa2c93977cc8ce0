//! A composition prepared for drawing.

use std::collections::{BTreeMap, BTreeSet};

use super::binary_size::binary_size;
use super::interface_name::{InterfaceName, is_wasi};
use crate::inspect::asynchronous::AsyncInterfaces;
use crate::model::composition::{self, Composition};

/// The contents of a picture. Nodes and packages are identified by index.
pub(super) struct Model<'a> {
    /// The name of the composition.
    pub(super) name: &'a str,
    /// Number of nodes and total size, in words.
    pub(super) summary: String,
    /// The nodes, followed by names that only wires, imports or exports mention.
    pub(super) nodes: Vec<Node<'a>>,
    /// The wires, deduplicated.
    pub(super) wires: BTreeSet<Wire<'a>>,
    /// The host packages, sorted by name.
    pub(super) packages: Vec<Package<'a>>,
    /// The host imports, grouped by node and package.
    pub(super) imports: Vec<Imports<'a>>,
    /// The exports, deduplicated.
    pub(super) exports: BTreeSet<Export<'a>>,
    async_interfaces: &'a AsyncInterfaces,
}

/// A node of the picture.
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    /// Its size, for people.
    pub(super) size: String,
}

/// An import that another node satisfies.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wire<'a> {
    pub(super) importer: usize,
    pub(super) import: &'a str,
    pub(super) provider: usize,
    pub(super) export: &'a str,
}

/// Interfaces of one package that the host has to provide.
pub(super) struct Package<'a> {
    pub(super) name: String,
    /// The interfaces, with package and version.
    pub(super) interfaces: BTreeSet<&'a str>,
    /// Whether the package belongs to WASI.
    pub(super) is_wasi: bool,
}

/// The imports of one node from one host package.
pub(super) struct Imports<'a> {
    pub(super) importer: usize,
    /// The package, as the node names it.
    pub(super) package: String,
    /// The package of the host.
    pub(super) provider: usize,
    /// The interfaces, as the node and as the composition name them.
    pub(super) interfaces: BTreeSet<(&'a str, &'a str)>,
}

/// An export of the composition.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Export<'a> {
    pub(super) name: &'a str,
    pub(super) provider: usize,
    /// The interface, as the node names it.
    pub(super) original: &'a str,
}

impl<'a> Model<'a> {
    /// Converts `composition`, which need not be consistent.
    pub(super) fn new(composition: &'a Composition, async_interfaces: &'a AsyncInterfaces) -> Self {
        let (nodes, index) = nodes(composition);
        let index = |name: &'a str| index.get(name).copied().unwrap_or_default();
        let wires = composition.wires.iter().map(|wire| Wire {
            importer: index(&wire.importer),
            import: &wire.import,
            provider: index(&wire.provider),
            export: &wire.export,
        });
        let exports = composition.exports.iter().map(|export| Export {
            name: &export.name,
            provider: index(&export.provider),
            original: &export.export,
        });
        let packages = packages(&composition.imports);
        Self {
            name: &composition.name,
            summary: summary(composition),
            wires: wires.collect(),
            imports: imports(&composition.imports, &packages, index),
            packages,
            exports: exports.collect(),
            nodes,
            async_interfaces,
        }
    }
}

impl Model<'_> {
    /// The asynchronous features of an interface, such as `stream, future`; `None` if it has none.
    pub(super) fn async_words(&self, interface: &str) -> Option<String> {
        let features = self.async_interfaces.get(interface)?;
        Some(features.to_string())
    }

    /// `text` for an interface, followed by its asynchronous features in parentheses.
    pub(super) fn marked(&self, text: &str, interface: &str) -> String {
        match self.async_words(interface) {
            Some(words) => format!("{text} ({words})"),
            None => text.to_owned(),
        }
    }

    /// The interfaces with asynchronous features, and these, in words; `None` if there are none.
    pub(super) fn async_text(&self) -> Option<String> {
        let exports = self.exports.iter().map(|export| export.name);
        let wires = self.wires.iter().map(|wire| wire.import);
        let imports = self.packages.iter().flat_map(|package| &package.interfaces);
        let names: BTreeSet<&str> = exports.chain(wires).chain(imports.copied()).collect();
        let marked = names.into_iter().filter_map(|name| {
            let words = self.async_words(name)?;
            Some(format!("{name} ({words})"))
        });
        let marked: Vec<String> = marked.collect();
        (!marked.is_empty()).then(|| format!("Asynchronous: {}", marked.join(", ")))
    }

    /// A wire in words.
    pub(super) fn wire_text(&self, wire: &Wire<'_>) -> String {
        let importer = self.nodes[wire.importer].name;
        let provider = self.nodes[wire.provider].name;
        let text = format!("{importer} imports {} from {provider}", wire.import);
        if wire.import == wire.export {
            return text;
        }
        format!("{text}, as {}", wire.export)
    }

    /// An export in words.
    pub(super) fn export_text(&self, export: &Export<'_>) -> String {
        let provider = self.nodes[export.provider].name;
        let text = format!("The whole exports {} of {provider}", export.name);
        if export.name == export.original {
            return text;
        }
        format!("{text}, there {}", export.original)
    }

    /// Host imports in words.
    pub(super) fn imports_text(&self, imports: &Imports<'_>) -> String {
        let importer = self.nodes[imports.importer].name;
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
    /// The interfaces within their package, as the node names them.
    pub(super) fn items(&self) -> impl Iterator<Item = &'a str> {
        let names = self.interfaces.iter();
        names.filter_map(|(import, _)| InterfaceName::new(import).item)
    }

    /// The interface, if there is exactly one.
    pub(super) fn only(&self) -> Option<&'a str> {
        let first = self
            .interfaces
            .first()
            .filter(|_| self.interfaces.len() == 1);
        first.map(|(import, _)| *import)
    }

    /// The labels of the interfaces next to the names of the host: the item, or the full name
    /// if the node uses another version.
    pub(super) fn labels(&self) -> impl Iterator<Item = &'a str> {
        self.interfaces.iter().map(|&(import, name)| {
            let item = InterfaceName::new(import).item;
            item.filter(|_| import == name).unwrap_or(import)
        })
    }
}

fn nodes(composition: &Composition) -> (Vec<Node<'_>>, BTreeMap<&str, usize>) {
    let mut index = BTreeMap::new();
    let mut nodes = Vec::new();
    for node in &composition.nodes {
        index.entry(node.name.as_str()).or_insert(nodes.len());
        nodes.push(Node {
            name: &node.name,
            size: binary_size(node.size_bytes),
        });
    }
    let wires = composition.wires.iter();
    let mentioned = wires
        .flat_map(|wire| [&wire.importer, &wire.provider])
        .chain(composition.imports.iter().map(|import| &import.importer))
        .chain(composition.exports.iter().map(|export| &export.provider));
    for name in mentioned {
        index.entry(name).or_insert_with(|| {
            nodes.push(Node {
                name,
                size: "size unknown".to_owned(),
            });
            nodes.len() - 1
        });
    }
    (nodes, index)
}

fn packages(imports: &[composition::Import]) -> Vec<Package<'_>> {
    let mut packages = BTreeMap::<String, BTreeSet<&str>>::new();
    for import in imports {
        let InterfaceName { package, .. } = InterfaceName::new(&import.name);
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
    imports: &'a [composition::Import],
    packages: &[Package<'a>],
    index: impl Fn(&'a str) -> usize,
) -> Vec<Imports<'a>> {
    let mut together = BTreeMap::<_, BTreeSet<_>>::new();
    for import in imports {
        let InterfaceName { package, .. } = InterfaceName::new(&import.import);
        let InterfaceName { package: host, .. } = InterfaceName::new(&import.name);
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

/// Number of nodes, total size, and number of connections that are not shown.
fn summary(composition: &Composition) -> String {
    let sizes = composition.nodes.iter().map(|node| node.size_bytes);
    let size = binary_size(sizes.fold(0, u64::saturating_add));
    let parts = match composition.nodes.len() {
        0 => "no parts".to_owned(),
        1 => format!("1 part, {size}"),
        count => format!("{count} parts, {size}"),
    };
    match composition.undescribed.len() {
        0 => parts,
        1 => format!("{parts}, 1 connection not shown"),
        count => format!("{parts}, {count} connections not shown"),
    }
}
