//! Writes a composition as WAC text.

use std::collections::BTreeMap;

use crate::structure::{Export, Part, Structure, WHOLE_INSTANCE};
use crate::wac::id;

/// Writes the WAC text that composes what `structure` describes.
///
/// Each part is a `let` with a name that the grammar takes, after those that it
/// gets something from, and of a package `parts:NAME`. Parts of equal bytes are
/// of one package, that of the first one, so that [`run_wac`](crate::run_wac)
/// embeds the bytes once and instantiates them several times. What is left to the
/// host is `...`; a part that leaves nothing to it has no such line, so that a
/// component that imports more is refused. A comment says which package is which
/// part, with its size and its digest, and how to compose it.
///
/// Any structure becomes text. That of parts in a circle is text that does not
/// compose, as nothing would.
#[must_use]
pub fn emit_wac(structure: &Structure) -> String {
    let ids = ids(structure);
    let packages = packages(structure, &ids);
    let name = id::kebab(&structure.name);
    let mut paragraphs = vec![
        header(structure, &name, &packages),
        format!("package compose:{name};\n"),
    ];
    for part in in_order(structure) {
        paragraphs.push(instance(structure, part, &ids, &packages));
    }
    let exports = structure.exports.iter();
    paragraphs.push(exports.map(|export| line(export, &ids)).collect());
    paragraphs.join("\n")
}

/// The line of an export; none if nobody provides it.
fn line(export: &Export, ids: &BTreeMap<&str, String>) -> String {
    let Some(provider) = ids.get(export.provider.as_str()) else {
        return String::new();
    };
    let provider = id::escaped(provider);
    let Export { name, export, .. } = export;
    // The name is spelled out: that of the type may be another one.
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

/// The name of each part in the text.
fn ids(structure: &Structure) -> BTreeMap<&str, String> {
    let mut ids: BTreeMap<&str, String> = BTreeMap::new();
    for part in &structure.parts {
        let is_free = |id: &str| ids.values().all(|taken| taken != id);
        let id = id::unique(&id::kebab(&part.name), is_free);
        ids.insert(&part.name, id);
    }
    ids
}

/// The name of the package of each digest: that of the first part which has it.
fn packages<'s>(
    structure: &'s Structure,
    ids: &BTreeMap<&str, String>,
) -> BTreeMap<&'s str, String> {
    let mut packages = BTreeMap::new();
    for part in &structure.parts {
        if let Some(id) = ids.get(part.name.as_str()) {
            packages
                .entry(part.sha256.as_str())
                .or_insert_with(|| id.clone());
        }
    }
    packages
}

fn header(structure: &Structure, name: &str, packages: &BTreeMap<&str, String>) -> String {
    let mut command = format!("component-compose run {name}.wac");
    let mut lines = Vec::new();
    for part in &structure.parts {
        let same: Vec<&Part> = structure
            .parts
            .iter()
            .filter(|other| other.sha256 == part.sha256)
            .collect();
        let is_first = same.first().is_some_and(|first| first.name == part.name);
        let (true, Some(package)) = (is_first, packages.get(part.sha256.as_str())) else {
            continue;
        };
        command.extend([" --with ", package, "=FILE"]);
        let names: Vec<String> = same
            .iter()
            .map(|part| format!("`{}`", part.name.escape_default()))
            .collect();
        lines.push(format!(
            "// parts:{package} is {}, {} bytes, sha256 {}\n",
            names.join(" and "),
            part.size_bytes,
            part.sha256.escape_default(),
        ));
    }
    for undescribed in &structure.undescribed {
        lines.push(format!(
            "// left out, because there are no words for it: {}\n",
            undescribed.escape_default()
        ));
    }
    let whole = structure.name.escape_default();
    format!(
        "// `{whole}`, composed by:\n//\n//   {command}\n//\n{}",
        lines.concat()
    )
}

/// The parts, each after those that it gets something from; those of a circle
/// come last.
fn in_order(structure: &Structure) -> Vec<&Part> {
    let mut rest: Vec<&Part> = structure.parts.iter().collect();
    let mut ordered = Vec::new();
    while !rest.is_empty() {
        let waits = |part: &Part| {
            let mut wires = structure.wires.iter();
            wires.any(|wire| {
                wire.importer == part.name && rest.iter().any(|other| other.name == wire.provider)
            })
        };
        let ready = rest.iter().position(|part| !waits(part));
        ordered.push(rest.remove(ready.unwrap_or_default()));
    }
    ordered
}

fn instance(
    structure: &Structure,
    part: &Part,
    ids: &BTreeMap<&str, String>,
    packages: &BTreeMap<&str, String>,
) -> String {
    let mut arguments: Vec<String> = structure
        .wires
        .iter()
        .filter(|wire| wire.importer == part.name)
        .filter_map(|wire| {
            let provider = id::escaped(ids.get(wire.provider.as_str())?);
            let item = item(&provider, &wire.export);
            Some(format!("  \"{}\": {item},\n", wire.import))
        })
        .collect();
    let imports = structure.imports.iter().map(|import| &import.importer);
    let types = structure.named_types.iter().map(|ty| &ty.importer);
    // What names a type is passed with the interface that has it, if it is left open.
    if imports.chain(types).any(|importer| *importer == part.name) {
        arguments.push("  ...\n".to_owned());
    }
    let id = ids.get(part.name.as_str()).map_or("", String::as_str);
    let package = packages
        .get(part.sha256.as_str())
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
