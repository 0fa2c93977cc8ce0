//! Flags of the commands that make a component of something else, or something else
//! of a component.

use std::path::PathBuf;

use clap::Args;

use super::Output;
use super::input::{Input, input, variable};

/// Make a component that provides `wasi:cli/environment` with fixed variables.
///
/// Link it to close the import of a component whose host has no environment, or
/// to decide its variables when composing. It imports nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose env --set SHIFT_AMOUNT=3 -o env.wasm")]
pub(crate) struct Env {
    /// A variable and its value; may be repeated
    #[arg(long = "set", value_name = "K=V", num_args = 1.., value_parser = variable)]
    pub(crate) variables: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Make a component that has every function of an interface, each of which traps.
///
/// Link it to satisfy an import that is never called, or to see when it is: the trap
/// names the call. What the interface is comes from WASI 0.2.12, from WIT files, or
/// from a component that imports it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose stub runner:audit/audit-log --for cipher.wasm -o no-audit.wasm")]
pub(crate) struct Stub {
    /// An interface, with a version or without
    #[arg(value_name = "INTERFACE", required = true)]
    pub(crate) interfaces: Vec<String>,
    /// A component that imports the interfaces
    #[arg(long = "for", value_name = "FILE", conflicts_with = "wit", value_parser = input)]
    pub(crate) imports_of: Option<Input>,
    /// A WIT file or folder that describes the interfaces; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) wit: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Get a part of a composition back, byte for byte as it went in.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose extract app.wasm cipher -o cipher.wasm")]
pub(crate) struct Extract {
    /// The composition
    #[arg(value_name = "APP", value_parser = input)]
    pub(crate) app: Input,
    /// The part, as `inspect` names it; a part of a part with a slash, as in `app/cipher`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Make one core module of all parts of a component, so that it runs faster.
///
/// The result imports, exports and does the same. Each part keeps a memory of
/// its own, but the handles of all parts are in one table: a hostile part could
/// use what another got from the host. Fuse only parts that trust each other. A host
/// must take modules with several memories: `wasmtime serve` does so with
/// `-Opooling-max-memories-per-module=N -Opooling-max-tables-per-module=N`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose fuse app.wasm -o app-fused.wasm")]
pub(crate) struct Fuse {
    /// The component
    #[arg(value_name = "FILE", value_parser = input)]
    pub(crate) file: Input,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Write a plan or a composition as a .wac file, which composes the same.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose emit-wac app.wasm -o app.wac")]
pub(crate) struct EmitWac {
    /// The composition or the plan
    #[arg(value_name = "FILE|PLAN", value_parser = input)]
    pub(crate) file: Input,
    /// Where the text goes; `-` is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    pub(crate) output: PathBuf,
}
