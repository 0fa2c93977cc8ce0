//! The direction of imports within a crate. Cargo holds it between crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use end_to_end::artifacts;

use super::files;

/// The folders of sources whose top modules have no import cycle.
const WITHOUT_CYCLES: [&str; 17] = [
    "audit-log/cli/src",
    "audit-log/forward/src",
    "audit-log/src",
    "bench/src",
    "compose/cli/src",
    "compose/fuse/src",
    "compose/src",
    "host/admin/src",
    "host/engine/src",
    "host/functions/src",
    "host/http1-strict/src",
    "host/memory/src",
    "host/server/src",
    "host/src",
    "host/telemetry/src",
    "sanitize/src",
    "tests/src",
];

/// The text of a source file without its comments and its unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a text");
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let lines = text[..end].lines();
    let code = lines.map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    code.collect::<Vec<_>>().join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The modules that follow `crate::`, or a `super::` that leads to the root, in `code`, which is
/// `depth` modules below the root.
fn imported(code: &str, depth: usize) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    let mut add = |rest: &str| {
        let end = if rest.starts_with('{') {
            rest.find(';').unwrap_or(rest.len())
        } else {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        };
        let names = rest[..end].split(['{', ',']).map(str::trim);
        let names = names.map(|name| name.split(|c| !is_word(c)).next().unwrap_or_default());
        modules.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
    };
    for (at, _) in code.match_indices("crate::") {
        add(&code[at + "crate::".len()..]);
    }
    let root = "super::".repeat(depth);
    if depth > 0 {
        for (at, _) in code.match_indices(&root) {
            add(&code[at + root.len()..]);
        }
    }
    modules
}

/// Which top modules of the crate in `folder` each of its top modules imports.
fn imports(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports = BTreeMap::<String, BTreeSet<String>>::new();
    for path in files(folder, "rs") {
        let within = path.strip_prefix(folder).expect("a file of the folder");
        let parts: Vec<_> = within.iter().map(|part| part.to_string_lossy()).collect();
        let top = parts[0].trim_end_matches(".rs").to_owned();
        if matches!(&*top, "lib" | "main" | "tests" | "bin")
            || parts.last().is_some_and(|name| name == "tests.rs")
        {
            continue;
        }
        let is_folder = parts.last().is_some_and(|name| name == "mod.rs");
        let depth = parts.len() - usize::from(is_folder);
        imports
            .entry(top)
            .or_default()
            .extend(imported(&code(&path), depth));
    }
    let known: BTreeSet<_> = imports.keys().cloned().collect();
    for (module, imported) in &mut imports {
        imported.retain(|other| known.contains(other) && other != module);
    }
    imports
}

/// A cycle of imports, if there is one.
fn cycle(mut imports: BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    // What imports nothing is in no cycle, and what imports only such modules neither.
    loop {
        let free: Vec<_> = imports
            .iter()
            .filter(|(_, imported)| imported.is_empty())
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        imports.retain(|module, _| !free.contains(module));
        for imported in imports.values_mut() {
            imported.retain(|module| !free.contains(module));
        }
    }
    let mut path = vec![imports.keys().next()?.clone()];
    loop {
        let last = path.last().expect("a module");
        let next = imports[last].first().expect("an import").clone();
        if let Some(at) = path.iter().position(|module| *module == next) {
            path.push(next);
            return Some(path.split_off(at));
        }
        path.push(next);
    }
}

#[test]
fn the_top_modules_of_a_crate_import_each_other_in_one_direction() {
    for folder in WITHOUT_CYCLES {
        let imports = imports(&artifacts::workspace().join(folder));
        assert!(!imports.is_empty(), "{folder} has no sources");
        if let Some(cycle) = cycle(imports) {
            panic!("import cycle in {folder}: {}", cycle.join(" → "));
        }
    }
}

#[test]
fn a_cycle_of_imports_is_found() {
    let imports = |edges: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let set = |to: &[&str]| to.iter().map(|&to| to.to_owned()).collect();
        edges
            .iter()
            .map(|(from, to)| ((*from).to_owned(), set(to)))
            .collect()
    };
    assert_eq!(cycle(imports(&[("a", &["b"]), ("b", &[])])), None);
    let found = cycle(imports(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]));
    assert_eq!(found.unwrap(), ["b", "c", "b"]);
    let code = "use crate::a::B;\nuse super::super::{c::D, e};\nuse super::f;";
    let expected = ["a", "c", "e"].map(str::to_owned);
    assert_eq!(imported(code, 2), expected.into());
}
