//! Test of `host_functions.toml`: each function that a guest can import is classified by what the
//! server retains.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasmtime::Engine;
use wasmtime::component::Linker;
use wit_parser::{PackageId, Resolve};

use super::engine_kind::EngineKind;
use super::imports::{PROVIDED, Package};
use super::linker::linker;
use super::state::State;
use super::{engine, host_functions, host_functions_03};

/// Interfaces that components export to the server.
const EXPORTED: [&str; 3] = [
    "wasi:cli/run",
    "wasi:http/handler",
    "wasi:http/incoming-handler",
];

/// The WIT folders of the crates that fill the linker.
const WIT: [(&str, &str); 5] = [
    ("wasmtime-wasi", "src/p2/wit"),
    ("wasmtime-wasi", "src/p3/wit"),
    ("wasmtime-wasi-config", "wit"),
    ("wasmtime-wasi-http", "wit"),
    ("wasmtime-wasi-http", "src/p3/wit"),
];

/// The engine whose linker has the interfaces of both versions of WASI.
const KIND: EngineKind = EngineKind {
    inlines: false,
    has_gc: false,
    is_concurrent: true,
};

/// A host function: interface with the track of its version, such as `wasi:http/types@0.3`, and name.
type Name = (String, String);

/// All interfaces that guests can import, with version and functions.
fn interfaces_of_wit() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let packages = installed_packages();
    let mut folders: Vec<_> = WIT
        .iter()
        .map(|(name, folder)| packages[*name].join(folder))
        .collect();
    folders.push(workspace().join("wit"));

    let mut interfaces = BTreeMap::new();
    for folder in folders {
        let mut resolve = Resolve::default();
        resolve.push_dir(&folder).expect("valid WIT");
        let ids: Vec<PackageId> = resolve.packages.iter().map(|(id, _)| id).collect();
        for id in ids {
            let package = &resolve.packages[id];
            let name = format!("{}:{}", package.name.namespace, package.name.name);
            // Those without a version have the worlds of a crate.
            let Some(version) = package.name.version.as_ref().map(ToString::to_string) else {
                continue;
            };
            let provides =
                |package: &Package| package.name == name && package.provides_version(&version);
            let Some(track) = PROVIDED.iter().find(|package| provides(package)) else {
                continue;
            };
            for (interface, id) in &package.interfaces {
                let interface = format!("{name}/{interface}");
                if EXPORTED.contains(&interface.as_str()) {
                    continue;
                }
                let interface = with_track(&interface, track);
                let (_, functions) = interfaces
                    .entry(interface)
                    .or_insert_with(|| (version.clone(), BTreeSet::new()));
                functions.extend(resolve.interfaces[*id].functions.keys().cloned());
            }
        }
    }
    interfaces
}

fn with_track(interface: &str, package: &Package) -> String {
    format!("{interface}@{}", package.track.trim_end_matches('.'))
}

/// All functions of these interfaces, with the version of the interface.
fn host_functions_of_wit() -> BTreeMap<Name, String> {
    let interfaces = interfaces_of_wit().into_iter();
    let functions = interfaces.flat_map(|(interface, (version, functions))| {
        let names = functions.into_iter();
        names.map(move |function| ((interface.clone(), function), version.clone()))
    });
    functions.collect()
}

/// The source folders of the dependencies of this workspace.
fn installed_packages() -> BTreeMap<String, PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", &host_platform()])
        .current_dir(workspace())
        .output()
        .expect("cargo");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{why}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let folder = |package: &serde_json::Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some((
            package["name"].as_str()?.to_owned(),
            manifest.parent()?.to_owned(),
        ))
    };
    packages.iter().filter_map(folder).collect()
}

fn host_platform() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("a host").to_owned()
}

fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = package.ancestors().nth(2);
    workspace.expect("a workspace").to_owned()
}

/// The list of each function in `host_functions.toml`.
fn table() -> BTreeMap<Name, String> {
    let text = include_str!("host_functions.toml");
    let table: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        toml::from_str(text).expect("a table of lists");
    let mut functions = BTreeMap::new();
    for (interface, lists) in table {
        for (list, names) in lists {
            let known = ["charged", "handle", "bounded", "nothing", "unreachable"];
            assert!(known.contains(&list.as_str()), "unknown list `{list}`");
            for function in names {
                let name = (interface.clone(), function);
                let before = functions.insert(name.clone(), list.clone());
                assert!(before.is_none(), "duplicate function {name:?}");
            }
        }
    }
    functions
}

/// The functions in this list of the table.
fn functions_in_list(list: &str) -> BTreeSet<Name> {
    let table = table().into_iter();
    let chosen = table.filter(|(_, found)| found == list);
    chosen.map(|(name, _)| name).collect()
}

/// The functions that `linker` defines: defining them again fails.
fn defined(mut linker: Linker<State>, all: &BTreeMap<Name, String>) -> BTreeSet<Name> {
    linker.allow_shadowing(false);
    let mut defined = BTreeSet::new();
    for ((interface, function), version) in all {
        let name = interface.split('@').next().unwrap_or_default();
        let mut instance = linker
            .instance(&format!("{name}@{version}"))
            .expect("an interface");
        if instance.func_new(function, |_, _, _, _| Ok(())).is_err() {
            defined.insert((interface.clone(), function.clone()));
        }
    }
    defined
}

fn concurrent_engine() -> Engine {
    Engine::new(&engine::config(KIND)).expect("an engine")
}

#[test]
fn max_host_memory_every_host_function_is_in_the_table() {
    let all = host_functions_of_wit();
    let names: BTreeSet<_> = all.keys().cloned().collect();
    let known: BTreeSet<_> = table().into_keys().collect();
    let missing: Vec<_> = names.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "not in host_functions.toml: {missing:#?}"
    );
    let stale: Vec<_> = known.difference(&names).collect();
    assert!(stale.is_empty(), "no longer in the WIT: {stale:#?}");

    let linker = linker(&concurrent_engine(), KIND).expect("a linker");
    let defined = defined(linker, &all);
    let missing: Vec<_> = names.difference(&defined).collect();
    assert!(missing.is_empty(), "not in the linker: {missing:#?}");
}

#[test]
fn max_host_memory_the_charged_functions_are_those_of_the_table() {
    let mut linker = Linker::new(&concurrent_engine());
    host_functions::add_to_linker(&mut linker).expect("functions");
    host_functions_03::add_to_linker(&mut linker).expect("functions of 0.3");
    let charging = defined(linker, &host_functions_of_wit());
    assert_eq!(charging, functions_in_list("charged"));
}

/// The end-to-end tests have a hostile guest for each of these functions.
#[test]
fn max_host_memory_every_charged_function_has_a_hostile_guest() {
    let guests = ["keeper.wat", "hostile-0.3/src/keep.rs"];
    let read = |guest| fs::read_to_string(workspace().join("tests/guests").join(guest));
    let guests = guests.map(|guest| read(guest).expect("a guest")).concat();
    for (interface, function) in functions_in_list("charged") {
        let case = format!(" {interface} {function}:");
        assert!(guests.contains(&case), "no guest has `{case}`");
    }
}

#[test]
fn the_interfaces_that_a_component_may_import_are_those_of_the_wit() {
    let provided = PROVIDED.iter().flat_map(|package| {
        let interfaces = package.interfaces.iter();
        interfaces.map(|interface| with_track(&format!("{}/{interface}", package.name), package))
    });
    let provided: BTreeSet<_> = provided.collect();
    let known: BTreeSet<_> = interfaces_of_wit().into_keys().collect();
    assert_eq!(provided, known);
}
