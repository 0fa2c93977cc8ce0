//! Paths of the programs and components.

use std::env;
use std::path::{Path, PathBuf};

/// The version of `wasmtime` that the tests compare with.
const WASMTIME_VERSION: &str = "48.0.8";

/// The version of `schemathesis`.
const SCHEMATHESIS_VERSION: &str = "4.32.5";

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("a parent").to_owned()
}

/// A program of this workspace, such as `component-runner`.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    existing(target().join("release").join(name), "make build")
}

/// A component of this workspace, such as `app`.
#[must_use]
pub fn component(name: &str) -> PathBuf {
    let file = format!("{name}.wasm");
    existing(target().join("components").join(file), "make build")
}

/// An output of an experiment, such as `app` of `cipher-onion`. The guests of all experiments are
/// in `parts`.
#[must_use]
pub fn experiment(experiment: &str, name: &str) -> PathBuf {
    let folder = target().join("experiments").join(experiment);
    existing(folder.join(format!("{name}.wasm")), "make experiments")
}

/// A guest of `tests/guests` that is a package, such as `hostile-03`.
#[must_use]
pub fn test_guest(name: &str) -> PathBuf {
    let file = format!("{}_guest.wasm", name.replace('-', "_"));
    let folder = target().join("wasm32-wasip2/guest");
    existing(folder.join(file), "make test-guests")
}

/// The `wasmtime` that the tests compare with.
#[must_use]
pub fn wasmtime() -> PathBuf {
    let folder = format!("wasmtime-{WASMTIME_VERSION}");
    existing(peers().join(folder).join("bin/wasmtime"), "make peers")
}

/// The folder of `schemathesis`.
#[must_use]
pub fn schemathesis() -> PathBuf {
    let folder = format!("schemathesis-{SCHEMATHESIS_VERSION}");
    existing(peers().join(folder), "make schemathesis")
}

/// A component of another toolchain, if it was built on this machine.
#[must_use]
pub fn foreign(name: &str) -> Option<PathBuf> {
    let folder = match env::var_os("COMPONENT_RUNNER_FOREIGN") {
        Some(folder) => PathBuf::from(folder),
        None => peers().join("foreign"),
    };
    let path = folder.join(format!("{name}.wasm"));
    path.exists().then_some(path)
}

/// The target folder of the workspace, or the one in the environment.
#[must_use]
pub fn target() -> PathBuf {
    match env::var_os("COMPONENT_RUNNER_TARGET") {
        Some(target) => PathBuf::from(target),
        None => workspace().join("target"),
    }
}

/// The folder of the peers, chosen as in the Makefile.
#[must_use]
pub fn peers() -> PathBuf {
    if let Some(peers) = env::var_os("COMPONENT_RUNNER_PEERS") {
        return PathBuf::from(peers);
    }
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(env::var_os("HOME").expect("HOME is set")).join(".cache"),
    };
    cache.join("component-runner/peers")
}

fn existing(path: PathBuf, remedy: &str) -> PathBuf {
    assert!(
        path.exists(),
        "missing `{}`; run `{remedy}`",
        path.display()
    );
    path
}
