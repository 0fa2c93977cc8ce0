//! Flags of the commands that compose several components.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::input::{Input, input, named_input, preference};

/// Requirements on the result, and the format of its report.
#[derive(Debug, Args)]
pub(crate) struct Reported {
    /// Fail if the result has an import that PATTERN matches, such as `wasi:sockets/*`; `*`
    /// matches any text and `?` one character; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) deny_imports: Vec<String>,
    /// Format of the report
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Flags of all commands that make plans.
#[derive(Debug, Args)]
pub(crate) struct Compose {
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "OUT", required_unless_present = "dry_run")]
    pub(crate) output: Option<PathBuf>,
    /// Write nothing; with `--format json`, print the plan, which `build`, `graph` and
    /// `emit-wac` accept if each component has a file of its own
    #[arg(long, conflicts_with = "output")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) report: Reported,
}

/// Link a root component with the parts that provide its imports.
///
/// Every import of the root, and of the parts, is wired to the part that exports it, with
/// the same name or a version on the same track. The result imports what no part exports,
/// and has the exports of the root.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose link http-adapter.wasm --with cipher.wasm -o app.wasm")]
pub(crate) struct Link {
    /// Component whose exports become those of the result
    #[arg(value_name = "ROOT", value_parser = input)]
    pub(crate) root: Input,
    /// One or more components that provide imports, as FILE or NAME=FILE; may be repeated
    #[arg(long = "with", value_name = "PART", num_args = 1.., value_parser = input)]
    pub(crate) parts: Vec<Input>,
    /// Provider of an interface that several parts export; may be repeated
    #[arg(long, value_name = "INTERFACE=FILE", value_parser = preference)]
    pub(crate) prefer: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) compose: Compose,
}

/// Put middlewares in front of an application.
///
/// Each middleware imports and exports INTERFACE. The first is outermost: the host calls it,
/// and it calls the next. The result has the exports of the first middleware. Other exports
/// of the application would bypass the middlewares, and are left out unless `--also-export`
/// names them.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose chain --on wasi:http/incoming-handler gate.wasm logger.wasm \\
      -o gated.wasm -- app.wasm")]
pub(crate) struct Chain {
    /// Interface of the chain, with or without a version
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) on: String,
    /// Middlewares as FILE or NAME=FILE, outermost first
    #[arg(value_name = "MIDDLEWARE", required = true, value_parser = input)]
    pub(crate) middlewares: Vec<Input>,
    /// Application
    #[arg(value_name = "APP", last = true, required = true, value_parser = input)]
    pub(crate) app: Input,
    /// Export of the application that bypasses the middlewares, with or without a version; may
    /// be repeated
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) also_export: Vec<String>,
    /// Component that provides other imports; may be repeated
    #[arg(long = "with", value_name = "PART", value_parser = input)]
    pub(crate) parts: Vec<Input>,
    /// Provider of an interface that several parts export; may be repeated
    #[arg(long, value_name = "INTERFACE=FILE", value_parser = preference)]
    pub(crate) prefer: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) compose: Compose,
}

/// Replace parts of a composition; the rest is unchanged.
///
/// The replacement takes over the wires of the part. Its additional imports are wired to the
/// part that exports them, or left to the host. `inspect` lists the parts.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose swap app.wasm --replace cipher=rot13.wasm -o app-rot13.wasm")]
pub(crate) struct Swap {
    /// Composition
    #[arg(value_name = "APP", value_parser = input)]
    pub(crate) app: Input,
    /// Name of a part and its replacement; may be repeated
    #[arg(long, value_name = "NAME=FILE", required = true, value_parser = named_input)]
    pub(crate) replace: Vec<Input>,
    #[command(flatten)]
    pub(crate) compose: Compose,
}

/// Compose a .wac file.
///
/// A package of the file refers to the component of that name: `new parts:cipher` is the
/// one given as `cipher=FILE`, or as a file with that stem.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose run router.wac --with path-router.wasm a=hello.wasm -o routed.wasm")]
pub(crate) struct Run {
    /// WAC file
    #[arg(value_name = "FILE.wac")]
    pub(crate) file: PathBuf,
    /// One or more components that the file refers to, as FILE or NAME=FILE; may be repeated
    #[arg(long = "with", value_name = "PART", num_args = 1.., value_parser = input)]
    pub(crate) parts: Vec<Input>,
    /// WIT file or folder with packages that the file refers to, as in `targets`; those of
    /// WASI 0.2 and 0.3 are built in; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) wit: Vec<PathBuf>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) report: Reported,
}

/// Build the components of a manifest, or a plan.
///
/// A manifest, compose.toml, declares components, each with a recipe; those with an `output`
/// are written, relative to the manifest. A plan is the output of other commands with
/// `--dry-run --format json`; its result is written to OUT, and its files are relative to the
/// working directory.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose build compose.toml")]
pub(crate) struct Build {
    /// Manifest or plan
    #[arg(value_name = "FILE", default_value = "compose.toml")]
    pub(crate) file: PathBuf,
    /// Output file of a plan; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Build everything, but write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
