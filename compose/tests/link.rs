//! Links the components of a folder and compares what came out.
//!
//! A folder has `root.*`, any number of `part-*.*`, and what is expected: either
//! `expected.txt` with the wires, imports and exports of the result, or
//! `error.txt`. A `.wit` file becomes a component of its world, a `.wat` file is
//! assembled, and a `.raw` file is taken as it is. `BLESS=1` writes what came out
//! as what is expected.

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

/// The files of a fixture that are inputs, sorted.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "txt"))
        .collect();
    files.sort();
    files
}

/// The name is what comes before the first dot: `part-a.wit` and
/// `part-a.again.wit` are both named `a`.
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
        .unwrap_or_else(|_| panic!("there is no {file} in {name}, but linking gave: {found}"));
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
    a_circle_is_refused_with_its_path => "a-circle-is-refused-with-its-path",
    a_component_that_is_cut_short_is_refused => "a-component-that-is-cut-short-is-refused",
    a_component_that_ends_inside_a_module_is_refused =>
        "a-component-that-ends-inside-a-module-is-refused",
    a_core_module_is_refused => "a-core-module-is-refused",
    a_function_of_the_root_is_wired => "a-function-of-the-root-is-wired",
    a_missing_function_is_named => "a-missing-function-is-named",
    a_named_type_that_differs_is_shown => "a-named-type-that-differs-is-shown",
    a_newer_version_satisfies_an_older_import => "a-newer-version-satisfies-an-older-import",
    a_parameter_that_differs_is_shown => "a-parameter-that-differs-is-shown",
    a_part_does_not_provide_to_itself => "a-part-does-not-provide-to-itself",
    a_part_is_shared_by_two_importers => "a-part-is-shared-by-two-importers",
    a_part_on_another_version_track_is_unused => "a-part-on-another-version-track-is-unused",
    a_part_that_nothing_uses_is_refused => "a-part-that-nothing-uses-is-refused",
    a_part_without_exports_is_refused => "a-part-without-exports-is-refused",
    a_resource_flows_through_parts => "a-resource-flows-through-parts",
    a_resource_of_the_host_is_not_that_of_a_part => "a-resource-of-the-host-is-not-that-of-a-part",
    a_resource_of_two_origins_is_refused => "a-resource-of-two-origins-is-refused",
    a_resource_that_a_world_names_is_passed => "a-resource-that-a-world-names-is-passed",
    a_resource_through_three_interfaces => "a-resource-through-three-interfaces",
    a_text_file_is_refused => "a-text-file-is-refused",
    a_wit_package_is_refused => "a-wit-package-is-refused",
    an_empty_file_is_refused => "an-empty-file-is-refused",
    an_export_brings_the_interface_of_its_types =>
        "an-export-brings-the-interface-of-its-types",
    an_import_of_nobody_stays_open => "an-import-of-nobody-stays-open",
    an_older_version_satisfies_a_newer_import => "an-older-version-satisfies-a-newer-import",
    an_older_version_without_the_function_is_refused =>
        "an-older-version-without-the-function-is-refused",
    equal_names_are_refused => "equal-names-are-refused",
    open_imports_merge_into_the_highest_version => "open-imports-merge-into-the-highest-version",
    open_imports_that_share_a_type_stay_two => "open-imports-that-share-a-type-stay-two",
    open_imports_with_different_types_are_refused =>
        "open-imports-with-different-types-are-refused",
    parts_feed_each_other => "parts-feed-each-other",
    two_providers_are_refused => "two-providers-are-refused",
}

#[test]
fn every_folder_is_listed() {
    let folders: BTreeSet<String> = fs::read_dir(fixtures())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    let listed: BTreeSet<String> = LISTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(listed, folders);
}
