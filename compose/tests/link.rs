//! Fixtures of `link`: the components of a folder, and the expected result.
//!
//! A folder has `root.*`, any number of `part-*.*`, and either `expected.txt` with the wires,
//! imports and exports of the result, or `error.txt`. A `.wit` file becomes a component of its
//! world, a `.wat` file is assembled, and a `.raw` file is used unchanged. `BLESS=1` updates the
//! expectations.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use compose::{Component, ComponentError, Composition};
use pretty_assertions::assert_eq;
use support::linked;
use test_components::{error_chain, from_wat, from_wit};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/link")
}

/// The input files of a fixture, sorted.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "txt"))
        .collect();
    files.sort();
    files
}

/// Reads a component, whose name ends at the first dot: `part-a.wit` and `part-a.again.wit`
/// are both named `a`.
fn read(path: &Path) -> Result<Component, ComponentError> {
    let file = path
        .file_name()
        .and_then(|name| name.to_str())
        .expect("UTF-8");
    let stem = file.split('.').next().expect("a stem");
    let name = stem.strip_prefix("part-").unwrap_or(stem);
    let bytes = fs::read(path).expect("a file");
    let text = || String::from_utf8(bytes.clone()).expect("UTF-8");
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("wit") => from_wit(&text()),
        Some("wat") => from_wat(&text()),
        _ => bytes,
    };
    Component::new(name, bytes)
}

fn link_files(files: &[PathBuf]) -> Result<String, String> {
    let mut parts = Vec::new();
    let mut root = None;
    for file in files {
        let component = read(file).map_err(|error| error_chain(&error))?;
        if component.name() == "root" {
            root = Some(component);
        } else {
            parts.push(component);
        }
    }
    let composed = linked(&root.expect("a root"), &parts).map_err(|report| report.to_string())?;
    let Composition {
        wires,
        exports,
        host_imports,
        ..
    } = composed.composition;
    let warnings = composed.report.diagnostics.into_iter();
    let warnings = warnings.map(|warning| format!("{warning}\n"));
    let wires = wires.iter().map(|wire| format!("{wire}\n"));
    let imports = host_imports.iter().map(|name| format!("import {name}\n"));
    let exports = exports
        .iter()
        .map(|export| format!("export {}\n", export.name));
    Ok(warnings
        .chain(wires)
        .chain(imports)
        .chain(exports)
        .collect())
}

fn check_fixture(name: &str) {
    let folder = fixtures().join(name);
    let outcome = link_files(&inputs(&folder));
    let (file, other, found) = match outcome {
        Ok(text) => ("expected.txt", "error.txt", text),
        Err(text) => ("error.txt", "expected.txt", text + "\n"),
    };
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        let _ = fs::remove_file(folder.join(other));
        fs::write(folder.join(file), &found).expect("can write");
    }
    let expected = fs::read_to_string(folder.join(file))
        .unwrap_or_else(|_| panic!("missing {file} in {name}; linking gave: {found}"));
    assert_eq!(expected, found);
}

macro_rules! fixtures {
    ($($test:ident => $folder:literal,)*) => {
        const LISTED: &[&str] = &[$($folder),*];
        $(
            #[test]
            fn $test() {
                check_fixture($folder);
            }
        )*
    };
}

fixtures! {
    cycle_is_reported_with_its_path => "cycle-is-reported-with-its-path",
    truncated_component_is_rejected => "truncated-component-is-rejected",
    component_truncated_inside_a_module_is_rejected =>
        "component-truncated-inside-a-module-is-rejected",
    core_module_is_rejected => "core-module-is-rejected",
    function_import_of_the_root_is_wired => "function-import-of-the-root-is-wired",
    type_mismatch_names_a_missing_function => "type-mismatch-names-a-missing-function",
    type_mismatch_shows_a_different_named_type => "type-mismatch-shows-a-different-named-type",
    newer_version_satisfies_an_older_import => "newer-version-satisfies-an-older-import",
    type_mismatch_shows_a_different_parameter => "type-mismatch-shows-a-different-parameter",
    part_does_not_provide_its_own_import => "part-does-not-provide-its-own-import",
    part_is_shared_by_two_importers => "part-is-shared-by-two-importers",
    version_track_reports_an_unused_part => "version-track-reports-an-unused-part",
    unused_part_is_rejected => "unused-part-is-rejected",
    unused_part_without_exports_is_rejected => "unused-part-without-exports-is-rejected",
    resource_is_passed_through_parts => "resource-is-passed-through-parts",
    resource_origin_differs_between_host_and_part => "resource-origin-differs-between-host-and-part",
    resource_origin_differs_between_two_parts => "resource-origin-differs-between-two-parts",
    named_resource_of_a_world_is_passed => "named-resource-of-a-world-is-passed",
    resource_is_used_by_three_interfaces => "resource-is-used-by-three-interfaces",
    text_file_is_rejected => "text-file-is-rejected",
    wit_package_is_rejected => "wit-package-is-rejected",
    empty_file_is_rejected => "empty-file-is-rejected",
    export_adds_the_interface_of_its_types =>
        "export-adds-the-interface-of-its-types",
    unresolved_import_is_imported_from_the_host => "unresolved-import-is-imported-from-the-host",
    older_version_satisfies_a_newer_import => "older-version-satisfies-a-newer-import",
    type_mismatch_of_an_older_version_without_the_function =>
        "type-mismatch-of-an-older-version-without-the-function",
    duplicate_name_is_rejected => "duplicate-name-is-rejected",
    unresolved_imports_merge_into_the_highest_version => "unresolved-imports-merge-into-the-highest-version",
    unresolved_imports_with_a_shared_type_stay_separate => "unresolved-imports-with-a-shared-type-stay-separate",
    import_conflict_of_different_types =>
        "import-conflict-of-different-types",
    parts_import_from_each_other => "parts-import-from-each-other",
    ambiguous_provider_is_rejected => "ambiguous-provider-is-rejected",
}

#[test]
fn every_fixture_has_a_test() {
    let folders: BTreeSet<String> = fs::read_dir(fixtures())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    let listed: BTreeSet<String> = LISTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(listed, folders);
}
