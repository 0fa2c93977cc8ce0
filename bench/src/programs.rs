//! Paths of the programs and components.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The version of `wasmtime` that is compared with.
const WASMTIME_VERSION: &str = "48.0.8";

/// The programs, and the main components.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) ours: PathBuf,
    pub(crate) wasmtime: PathBuf,
    pub(crate) native: PathBuf,
    /// The composition that all servers serve.
    pub(crate) component: PathBuf,
    /// The same, fused.
    pub(crate) fused: PathBuf,
    /// The same cipher behind the adapter for WASI 0.3.
    pub(crate) component_03: PathBuf,
}

impl Programs {
    /// Finds all of them, or names the missing one and the command that builds it.
    pub(crate) fn find() -> Result<Self> {
        let wasmtime = format!("wasmtime-{WASMTIME_VERSION}/bin/wasmtime");
        Ok(Self {
            ours: in_target("tuned/component-runner", "make release")?,
            wasmtime: existing(peers()?.join(wasmtime), "make peers")?,
            // Built together with this program, in the same folder.
            native: existing(
                env::current_exe()?.with_file_name("native"),
                "cargo build --profile tuned -p bench",
            )?,
            component: part("app-closed")?,
            fused: part("app-fused")?,
            component_03: part("app-0.3-closed")?,
        })
    }
}

/// A part of compositions.
pub(crate) fn part(name: &str) -> Result<PathBuf> {
    in_target(&format!("components/{name}.wasm"), "make build")
}

/// A guest of the experiments.
pub(crate) fn experiment_guest(name: &str) -> Result<PathBuf> {
    let path = format!("experiments/parts/{name}.wasm");
    in_target(&path, "make experiment-guests")
}

/// A guest of the benchmark.
pub(crate) fn guest(name: &str) -> Result<PathBuf> {
    let path = format!("wasm32-wasip2/guest/{name}_guest.wasm");
    in_target(&path, "make bench-guests")
}

/// A file of the target folder.
pub(crate) fn in_target(path: &str, remedy: &str) -> Result<PathBuf> {
    existing(target().join(path), remedy)
}

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The target folder of the workspace, or the one in the environment.
fn target() -> PathBuf {
    env::var_os("COMPONENT_RUNNER_TARGET").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The folder for temporary files.
pub(crate) fn scratch() -> PathBuf {
    target().join("benchmark")
}

/// The folder of the peers, chosen as in the Makefile.
pub(crate) fn peers() -> Result<PathBuf> {
    if let Some(peers) = env::var_os("COMPONENT_RUNNER_PEERS") {
        return Ok(PathBuf::from(peers));
    }
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(env::var_os("HOME").context("`HOME` is not set")?).join(".cache"),
    };
    Ok(cache.join("component-runner/peers"))
}

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

pub(crate) fn existing(path: PathBuf, remedy: &str) -> Result<PathBuf> {
    ensure!(
        path.exists(),
        "missing `{}`; run `{remedy}`",
        path.display()
    );
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_the_remedy() {
        let error = existing("/nowhere/wasmtime".into(), "make peers").unwrap_err();
        let expected = "missing `/nowhere/wasmtime`; run `make peers`";
        assert_eq!(error.to_string(), expected);
    }
}
