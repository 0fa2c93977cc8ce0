//! Flags of the commands that convert or generate one component.

use std::path::PathBuf;

use clap::Args;

use super::Output;
use super::input::{Input, input, variable};

/// Generate a component that provides `wasi:cli/environment` with fixed variables.
///
/// Link it to satisfy the import for a host without an environment, or to fix variables at
/// composition time. The component has no imports, and provides the interface of WASI 0.2, or
/// with `--for` that of each release that FILE imports.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose env --set SHIFT_AMOUNT=3 -o env.wasm
  component-compose env --set BEARER_TOKEN=secret --for gate.wasm -o env.wasm")]
pub(crate) struct Env {
    /// Variable and value; may be repeated
    #[arg(long = "set", value_name = "K=V", num_args = 1.., value_parser = variable)]
    pub(crate) variables: Vec<(String, String)>,
    /// Component that imports the environment; may be repeated
    #[arg(long = "for", value_name = "FILE", value_parser = input)]
    pub(crate) importers: Vec<Input>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Generate a component that exports an interface whose functions trap.
///
/// Link it to satisfy an import that is not called, or to detect its calls: the trap names
/// the function. WASI, WIT files or a component that imports it define the interface. One of WASI
/// is that of 0.2.12, or of the version in its name, such as `wasi:http/handler@0.3.0`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose stub runner:audit/audit-log --for cipher.wasm -o no-audit.wasm")]
pub(crate) struct Stub {
    /// Interface, with or without a version
    #[arg(value_name = "INTERFACE", required = true)]
    pub(crate) interfaces: Vec<String>,
    /// Component that imports the interfaces
    #[arg(long = "for", value_name = "FILE", conflicts_with = "wit", value_parser = input)]
    pub(crate) imports_of: Option<Input>,
    /// WIT file or folder that defines the interfaces; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) wit: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Extract a part of a composition, byte for byte.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose extract app.wasm cipher -o cipher.wasm")]
pub(crate) struct Extract {
    /// Composition
    #[arg(value_name = "APP", value_parser = input)]
    pub(crate) app: Input,
    /// Name of the part, as `inspect` prints it; of a nested part with a slash, as in
    /// `app/cipher`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Fuse all parts of a component into one core module, for speed.
///
/// Imports, exports and behaviour are unchanged. Each part keeps its own memory, but all parts
/// share one table of handles: a hostile part could use resources that another part got
/// from the host. Fuse only parts that trust each other. The host must support modules with
/// several memories: `wasmtime serve` does so with
/// `-Opooling-max-memories-per-module=N -Opooling-max-tables-per-module=N`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose fuse app.wasm -o app-fused.wasm")]
pub(crate) struct Fuse {
    /// Component
    #[arg(value_name = "FILE", value_parser = input)]
    pub(crate) file: Input,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Write a plan or a composition as an equivalent .wac file.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose emit-wac app.wasm -o app.wac")]
pub(crate) struct EmitWac {
    /// Composition or plan
    #[arg(value_name = "FILE|PLAN", value_parser = input)]
    pub(crate) file: Input,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    pub(crate) output: PathBuf,
}
