//! Every built component is valid, and closed ones run on another host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::client::Request;
use end_to_end::{Peer, artifacts};
use wasmparser::{Validator, WasmFeatures};

/// Every component of `make experiments`: parts and compositions.
fn outputs() -> Vec<PathBuf> {
    let app = artifacts::component("app");
    let components = app.parent().expect("a folder");
    let folders = fs::read_dir(components.with_file_name("experiments")).expect("a folder");
    let mut folders: Vec<PathBuf> = folders
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.push(components.to_owned());
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let mut files: Vec<PathBuf> = files
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_output_is_valid_with_all_features() {
    let outputs = outputs();
    assert!(outputs.len() >= 20, "{outputs:?}");
    for path in outputs {
        let bytes = fs::read(&path).expect("a file");
        Validator::new_with_features(WasmFeatures::all())
            .validate_all(&bytes)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Whether a component runs in the world `proxy` of WASI 0.2 or `service` of WASI 0.3.
fn is_closed(path: &Path) -> bool {
    let runs_in = |world| {
        Command::new(artifacts::program("component-compose"))
            .arg("check")
            .arg(path)
            .args(["--world", world])
            .output()
            .expect("the program starts")
            .status
            .success()
    };
    ["proxy", "service"].into_iter().any(runs_in)
}

#[test]
fn a_closed_component_runs_on_another_host() {
    let closed: Vec<PathBuf> = outputs()
        .into_iter()
        .filter(|path| is_closed(path))
        .collect();
    assert!(closed.len() >= 9, "{closed:?}");
    for path in closed {
        // Fused components have a memory per part in one module.
        let flags = [
            "-Opooling-max-memories-per-module=8",
            "-Opooling-max-tables-per-module=8",
        ];
        let response = Peer::serve(&path, &flags).send(&Request::new("GET", "/"));
        assert!(response.status < 500, "{}: {response:?}", path.display());
    }
}
