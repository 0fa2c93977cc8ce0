//! The components whose costs are counted (`tests/costs`) and timed
//! (`benches/parts`), a client that asks them, and the server in this process.

use std::env;
use std::path::{Path, PathBuf};

mod client;
mod in_process;

pub(crate) use client::Client;
pub(crate) use in_process::{InProcess, Quiet};

/// A variable that the component needs: `app.wasm` gets it from the host.
pub(crate) const VARIABLE: (&str, &str) = ("SHIFT_AMOUNT", "3");

/// The body of every request, to this path.
pub(crate) const PATH: &str = "/encrypt";
pub(crate) const MESSAGE: &str = r#"{"message": "hello world"}"#;

/// The body of every response.
pub(crate) const ANSWER: &str = r#"{"result":"khoor zruog"}"#;

/// Where a component is that `make build` composed.
pub(crate) fn component(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("COMPONENT_RUNNER_TARGET").map(PathBuf::from);
    let target = target.unwrap_or_else(|| workspace.join("target"));
    let path = target.join("components").join(name).with_extension("wasm");
    assert!(
        path.exists(),
        "`{}` is not there; run `make build`",
        path.display()
    );
    path
}
