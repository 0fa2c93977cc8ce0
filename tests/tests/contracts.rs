//! Contracts of the parts: the WIT is the standard's, each component imports and exports what its
//! world names, and each crate keeps to its layer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::artifacts::{component, experiment, workspace};
use sha2::{Digest, Sha256};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, World};

/// Names of the imports and exports of a world or a component.
struct Surface {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

impl Surface {
    fn new(resolve: &Resolve, world: &World) -> Self {
        let name = |key| resolve.name_world_key(key);
        Self {
            imports: world.imports.keys().map(name).collect(),
            exports: world.exports.keys().map(name).collect(),
        }
    }

    /// A world of `wit/`, with its imports and their transitive ones.
    fn of_world(name: &str) -> Self {
        let mut resolve = Resolve::default();
        let packages = ["wit", "wit/experiments"].map(|folder| {
            let folder = workspace().join(folder);
            resolve.push_dir(folder).expect("valid WIT").0
        });
        let world = resolve.select_world(&packages, Some(name));
        let world = world.expect("a world");
        Self::new(&resolve, &resolve.worlds[world])
    }

    fn of_component(path: &Path) -> Self {
        let bytes = fs::read(path).expect("a component");
        match wit_component::decode(&bytes).expect("a component") {
            DecodedWasm::Component(resolve, world) => Self::new(&resolve, &resolve.worlds[world]),
            DecodedWasm::WitPackage(..) => panic!("`{}` is a package of WIT", path.display()),
        }
    }
}

fn check_part(name: &str, world: &str) {
    check_world(&component(name), world);
}

fn check_world(path: &Path, world: &str) {
    let name = path.display();
    let part = Surface::of_component(path);
    let world = Surface::of_world(world);
    let beyond: Vec<_> = part.imports.difference(&world.imports).collect();
    assert!(beyond.is_empty(), "`{name}` imports {beyond:?}");
    assert_eq!(part.exports, world.exports);
    let needs_nothing = world.imports.is_empty();
    assert_eq!(part.imports.is_empty(), needs_nothing, "`{name}`");
}

#[test]
fn the_cipher_imports_and_exports_what_its_world_names() {
    check_part("cipher", "runner:cipher/encoder-decoder-service");
}

#[test]
fn the_adapter_imports_and_exports_what_its_world_names() {
    check_part("http-adapter", "runner:cipher/http-adapter");
}

#[test]
fn the_adapter_for_wasi_0_3_imports_exactly_the_cipher_and_the_types_of_http() {
    check_part("http-service", "runner:cipher/http-service");
    let imports = Surface::of_component(&component("http-service")).imports;
    let expected = ["runner:cipher/cipher@0.1.0", "wasi:http/types@0.3.0"];
    assert_eq!(imports, BTreeSet::from(expected.map(str::to_owned)));
}

#[test]
fn the_audit_log_on_stderr_imports_and_exports_what_its_world_names() {
    check_part("audit-stderr", "runner:audit/audit-stderr");
}

#[test]
fn the_guests_of_the_experiments_import_and_export_what_their_worlds_name() {
    for (name, world) in [
        ("bearer-gate", "runner:experiments/bearer-gate"),
        ("gate-middleware", "runner:experiments/gate-middleware"),
        ("greeter", "runner:experiments/greeter"),
        ("logger-middleware", "runner:experiments/logger-middleware"),
        ("mock-audit", "runner:experiments/mock-audit"),
        ("path-router", "runner:experiments/path-router"),
        ("request-logger", "runner:experiments/request-logger"),
        ("rot13", "runner:experiments/fixed-cipher"),
        ("streamer", "runner:experiments/streamer"),
        ("vigenere", "runner:cipher/encoder-decoder-service"),
        ("vigenere-layer", "runner:experiments/cipher-layer"),
    ] {
        check_world(&experiment("parts", name), world);
    }
}

#[test]
fn the_composition_leaves_open_what_the_cipher_needs_of_a_host() {
    let app = Surface::of_component(&component("app"));
    let mut allowed = Surface::of_world("runner:cipher/http-adapter").imports;
    allowed.remove("runner:cipher/cipher@0.1.0");
    let open: BTreeSet<_> = app
        .imports
        .difference(&allowed)
        .map(String::as_str)
        .collect();
    let expected = [
        "runner:audit/audit-log@0.1.0",
        "wasi:cli/environment@0.2.12",
    ];
    assert_eq!(open, BTreeSet::from(expected));
    assert_eq!(
        app.exports,
        BTreeSet::from(["wasi:http/incoming-handler@0.2.12".to_owned()])
    );
}

#[test]
fn the_closed_composition_fits_every_host_of_the_proxy_world() {
    let app = Surface::of_component(&component("app-closed"));
    let proxy = Surface::of_world("wasi:http/proxy@0.2.12");
    let beyond: Vec<_> = app.imports.difference(&proxy.imports).collect();
    assert!(beyond.is_empty(), "`app-closed` imports {beyond:?}");
    assert_eq!(app.exports, proxy.exports);
}

#[test]
fn the_compositions_for_wasi_0_3_import_its_http_types_and_what_their_0_2_parts_need() {
    let types = "wasi:http/types@0.3.0";
    let environment = "wasi:cli/environment@0.2.12";
    for (name, expected) in [
        (
            "app-0.3",
            &["runner:audit/audit-log@0.1.0", environment, types][..],
        ),
        (
            "app-0.3-closed",
            &[
                "wasi:cli/stderr@0.2.12",
                types,
                "wasi:io/error@0.2.12",
                "wasi:io/streams@0.2.12",
            ],
        ),
    ] {
        let app = Surface::of_component(&component(name));
        let imports: Vec<_> = app.imports.iter().map(String::as_str).collect();
        assert_eq!(imports, expected, "`{name}`");
        let handler = "wasi:http/handler@0.3.0".to_owned();
        assert_eq!(app.exports, BTreeSet::from([handler]), "`{name}`");
    }
}

#[test]
fn the_file_name_of_standard_wit_states_package_and_version() {
    for path in entries(&workspace().join("wit/deps")) {
        let Some(stem) = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".wit"))
        else {
            continue;
        };
        let (package, version) = match stem.strip_suffix("-0.3") {
            Some(package) => (package, "0.3.0"),
            None => (stem, "0.2.12"),
        };
        let text = fs::read_to_string(&path).expect("a file");
        let expected = format!("package wasi:{package}@{version};");
        assert_eq!(text.lines().next(), Some(expected.as_str()), "`{stem}.wit`");
    }
}

#[test]
fn the_standard_wit_is_unchanged() {
    let wit = workspace().join("wit");
    let sums = fs::read_to_string(wit.join("deps.sha256")).expect("a list of sums");
    let mut named = BTreeSet::new();
    for line in sums.lines() {
        let (expected, name) = line.split_once("  ").expect("a sum and a name");
        let bytes = fs::read(wit.join(name)).expect("a file");
        let sum = format!("{:x}", Sha256::digest(bytes));
        assert_eq!(sum, expected, "of `{name}`");
        named.insert(wit.join(name));
    }
    let is_wit = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wit");
    let present: BTreeSet<_> = entries(&wit.join("deps"))
        .into_iter()
        .filter(is_wit)
        .collect();
    assert_eq!(named, present);
}

#[test]
fn the_server_is_independent_of_the_cipher() {
    for path in files_below(&workspace().join("host/src")) {
        let text = fs::read_to_string(&path).expect("a source").to_lowercase();
        assert!(!text.contains("cipher"), "`{}`", path.display());
    }
}

#[test]
fn the_library_of_compose_does_no_input_or_output() {
    let libraries = ["compose/src", "compose/fuse/src"].map(|source| workspace().join(source));
    for path in libraries.iter().flat_map(|source| files_below(source)) {
        let text = fs::read_to_string(&path).expect("a source");
        for forbidden in [
            "std::fs",
            "std::env",
            "std::process",
            "std::net",
            "println!",
            "eprintln!",
        ] {
            let file = path.display();
            assert!(!text.contains(forbidden), "`{forbidden}` is in `{file}`");
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    assert!(!files.is_empty(), "`{}` is empty", folder.display());
    files
}
