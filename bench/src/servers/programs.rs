//! Where the programs and the component are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The version of `wasmtime` that is compared with.
const WASMTIME_VERSION: &str = "48.0.8";

/// Everything that is run.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) ours: PathBuf,
    pub(crate) wasmtime: PathBuf,
    pub(crate) native: PathBuf,
    /// The composition that all hosts serve.
    pub(crate) component: PathBuf,
    /// The same, fused.
    pub(crate) fused: PathBuf,
    /// Whether ours can use an instance again.
    pub(crate) ours_can_reuse: bool,
}

impl Programs {
    /// Finds all of them, or names the one that is missing and how it is made.
    pub(crate) fn find() -> Result<Self> {
        let target = target();
        let wasmtime = format!("wasmtime-{WASMTIME_VERSION}/bin/wasmtime");
        let ours = existing(target.join("tuned/component-runner"), "make release")?;
        let help = Command::new(&ours).args(["serve", "--help"]).output();
        let help = help.with_context(|| format!("cannot run `{}`", ours.display()))?;
        Ok(Self {
            ours_can_reuse: String::from_utf8_lossy(&help.stdout).contains("--reuse"),
            ours,
            wasmtime: existing(peers()?.join(wasmtime), "make peers")?,
            // Built together with this program, and put beside it.
            native: existing(
                env::current_exe()?.with_file_name("native"),
                "cargo build --profile tuned -p bench",
            )?,
            component: existing(target.join("components/app-closed.wasm"), "make build")?,
            fused: existing(target.join("components/app-fused.wasm"), "make build")?,
        })
    }
}

/// A part that compositions are made of.
pub(crate) fn part(name: &str) -> Result<PathBuf> {
    existing(
        target().join(format!("components/{name}.wasm")),
        "make build",
    )
}

/// A guest that only the benchmark has.
pub(crate) fn guest(name: &str) -> Result<PathBuf> {
    let path = format!("wasm32-wasip2/guest/{name}_guest.wasm");
    existing(target().join(path), "make bench-guests")
}

/// What an experiment makes.
pub(crate) fn experiment(path: &str) -> Result<PathBuf> {
    existing(
        target().join("experiments").join(path),
        "make experiments, with Node.js",
    )
}

/// The guest in Python that only the benchmark has.
pub(crate) fn python_guest() -> Result<PathBuf> {
    existing(target().join("benchmark-python/app.wasm"), "make bench")
}

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The target folder of the workspace, or the one that the environment names.
fn target() -> PathBuf {
    env::var_os("COMPONENT_RUNNER_TARGET").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The folder for what need not be kept.
pub(crate) fn scratch() -> PathBuf {
    target().join("benchmark")
}

/// The folder of the other hosts: the same choice as in the Makefile.
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

pub(crate) fn existing(path: PathBuf, remedy: &str) -> Result<PathBuf> {
    ensure!(
        path.exists(),
        "`{}` is not there; run `{remedy}`",
        path.display()
    );
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        let error = existing("/nowhere/wasmtime".into(), "make peers").unwrap_err();
        let expected = "`/nowhere/wasmtime` is not there; run `make peers`";
        assert_eq!(error.to_string(), expected);
    }
}
