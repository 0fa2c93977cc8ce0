//! Compositions written as WAC text.

use std::collections::BTreeMap;

use super::id;
use crate::model::composition::{Composition, Export, Node, WHOLE_INSTANCE};

/// Writes the WAC text of `composition`.
///
/// Each node becomes a `let` with a valid identifier, after its providers, and of a package
/// `parts:NAME`. Nodes with equal bytes share the package of the first one, so that
/// [`run_wac`](crate::run_wac) embeds the bytes once and instantiates them several times.
/// Host imports are `...`; a node without host imports has no such line, so that a component
/// with additional imports is rejected. A comment lists the packages with name, size and
/// digest of their parts, and the command that composes them.
///
/// Any composition can be written. The text of a cyclic one does not compose.
#[must_use]
pub fn emit_wac(composition: &Composition) -> String {
    let ids = ids(composition);
    let packages = packages(composition, &ids);
    let name = id::kebab(&composition.name);
    let mut paragraphs = vec![
        header(composition, &name, &packages),
        format!("package compose:{name};\n"),
    ];
    for node in in_dependency_order(composition) {
        paragraphs.push(instance(composition, node, &ids, &packages));
    }
    let exports = composition.exports.iter();
    paragraphs.push(exports.map(|export| line(export, &ids)).collect());
    paragraphs.join("\n")
}

/// The line of an export; empty if its provider is unknown.
fn line(export: &Export, ids: &BTreeMap<&str, String>) -> String {
    let Some(provider) = ids.get(export.provider.as_str()) else {
        return String::new();
    };
    let provider = id::escaped(provider);
    let Export { name, export, .. } = export;
    // The name is explicit, because the type may have another one.
    format!("export {} as \"{name}\";\n", item(&provider, export))
}

/// An export of an instance, or the whole instance.
fn item(instance: &str, export: &str) -> String {
    if export == WHOLE_INSTANCE {
        instance.to_owned()
    } else {
        format!("{instance}[\"{export}\"]")
    }
}

/// The identifier of each node.
fn ids(composition: &Composition) -> BTreeMap<&str, String> {
    let mut ids: BTreeMap<&str, String> = BTreeMap::new();
    for node in &composition.nodes {
        let is_free = |id: &str| ids.values().all(|taken| taken != id);
        let id = id::unique(&id::kebab(&node.name), is_free);
        ids.insert(&node.name, id);
    }
    ids
}

/// The package name of each digest: the identifier of the first node with it.
fn packages<'s>(
    composition: &'s Composition,
    ids: &BTreeMap<&str, String>,
) -> BTreeMap<&'s str, String> {
    let mut packages = BTreeMap::new();
    for node in &composition.nodes {
        if let Some(id) = ids.get(node.name.as_str()) {
            packages
                .entry(node.sha256.as_str())
                .or_insert_with(|| id.clone());
        }
    }
    packages
}

fn header(composition: &Composition, name: &str, packages: &BTreeMap<&str, String>) -> String {
    let mut command = format!("component-compose run {name}.wac");
    let mut lines = Vec::new();
    for node in &composition.nodes {
        let same: Vec<&Node> = composition
            .nodes
            .iter()
            .filter(|other| other.sha256 == node.sha256)
            .collect();
        let is_first = same.first().is_some_and(|first| first.name == node.name);
        let (true, Some(package)) = (is_first, packages.get(node.sha256.as_str())) else {
            continue;
        };
        command.extend([" --with ", package, "=FILE"]);
        let names: Vec<String> = same
            .iter()
            .map(|node| format!("`{}`", node.name.escape_default()))
            .collect();
        lines.push(format!(
            "// parts:{package} is {}, {} bytes, sha256 {}\n",
            names.join(" and "),
            node.size_bytes,
            node.sha256.escape_default(),
        ));
    }
    for undescribed in &composition.undescribed {
        lines.push(format!(
            "// left out, because WAC cannot express it: {}\n",
            undescribed.escape_default()
        ));
    }
    let whole = composition.name.escape_default();
    format!(
        "// `{whole}`, composed by:\n//\n//   {command}\n//\n{}",
        lines.concat()
    )
}

/// The nodes, each after its providers; those of a cycle come last.
fn in_dependency_order(composition: &Composition) -> Vec<&Node> {
    let mut rest: Vec<&Node> = composition.nodes.iter().collect();
    let mut ordered = Vec::new();
    while !rest.is_empty() {
        let waits = |node: &Node| {
            let mut wires = composition.wires.iter();
            wires.any(|wire| {
                wire.importer == node.name && rest.iter().any(|other| other.name == wire.provider)
            })
        };
        let ready = rest.iter().position(|node| !waits(node));
        ordered.push(rest.remove(ready.unwrap_or_default()));
    }
    ordered
}

fn instance(
    composition: &Composition,
    node: &Node,
    ids: &BTreeMap<&str, String>,
    packages: &BTreeMap<&str, String>,
) -> String {
    let mut arguments: Vec<String> = composition
        .wires
        .iter()
        .filter(|wire| wire.importer == node.name)
        .filter_map(|wire| {
            let provider = id::escaped(ids.get(wire.provider.as_str())?);
            let item = item(&provider, &wire.export);
            Some(format!("  \"{}\": {item},\n", wire.import))
        })
        .collect();
    let imports = composition.imports.iter().map(|import| &import.importer);
    let types = composition.named_types.iter().map(|ty| &ty.importer);
    // `...` also imports the types that the node names, with their interfaces.
    if imports.chain(types).any(|importer| *importer == node.name) {
        arguments.push("  ...\n".to_owned());
    }
    let id = ids.get(node.name.as_str()).map_or("", String::as_str);
    let package = packages
        .get(node.sha256.as_str())
        .map_or(id, String::as_str);
    let id = id::escaped(id);
    if arguments.is_empty() {
        format!("let {id} = new parts:{package} {{}};\n")
    } else {
        format!(
            "let {id} = new parts:{package} {{\n{}}};\n",
            arguments.concat()
        )
    }
}
