//! The components of `tests/costs` and `benches/parts`, their client, and the server in this
//! process.

use std::env;
use std::path::{Path, PathBuf};

mod client;
mod in_process;

pub(crate) use client::Client;
pub(crate) use in_process::{InProcess, Quiet};

/// A variable that the component requires: `app.wasm` gets it from the host.
pub(crate) const VARIABLE: (&str, &str) = ("SHIFT_AMOUNT", "3");

/// The path and the body of every request.
pub(crate) const PATH: &str = "/encrypt";
pub(crate) const MESSAGE: &str = r#"{"message": "hello world"}"#;

/// The body of every response.
pub(crate) const ANSWER: &str = r#"{"result":"khoor zruog"}"#;

/// The path of a component that `make build` composed.
pub(crate) fn component(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("COMPONENT_RUNNER_TARGET").map(PathBuf::from);
    let target = target.unwrap_or_else(|| workspace.join("target"));
    let path = target.join("components").join(name).with_extension("wasm");
    assert!(
        path.exists(),
        "missing `{}`; run `make build`",
        path.display()
    );
    path
}
