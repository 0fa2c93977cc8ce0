//! Flags of the commands that make one component of several.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::input::{Input, input, named_input, preference};

/// What is asked of the result, and how it is reported.
#[derive(Debug, Args)]
pub(crate) struct Reported {
    /// Fail if the result imports what PATTERN matches, such as `wasi:sockets/*`, where `*`
    /// is any text and `?` any letter; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) deny_imports: Vec<String>,
    /// How what was composed is reported
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// What the commands that make plans have in common.
#[derive(Debug, Args)]
pub(crate) struct Compose {
    /// Where the result goes; `-` is standard output
    #[arg(short, long, value_name = "OUT", required_unless_present = "dry_run")]
    pub(crate) output: Option<PathBuf>,
    /// Write nothing; with `--format json`, print the plan, which `build`, `graph`
    /// and `emit-wac` read where each component is in a file of its own
    #[arg(long, conflicts_with = "output")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) report: Reported,
}

/// Link a root component with the parts that provide its imports.
///
/// Every import of the root, and of the parts, is wired to the part that exports
/// it, under the same name or a version on the same track. What no part exports
/// stays an import. The result exports what the root exports.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose link http-adapter.wasm --with cipher.wasm -o app.wasm")]
pub(crate) struct Link {
    /// The component whose exports the result has
    #[arg(value_name = "ROOT", value_parser = input)]
    pub(crate) root: Input,
    /// One or more components that provide imports, as FILE or NAME=FILE; may be repeated
    #[arg(long = "with", value_name = "PART", num_args = 1.., value_parser = input)]
    pub(crate) parts: Vec<Input>,
    /// Which part provides an interface that several export; may be repeated
    #[arg(long, value_name = "INTERFACE=FILE", value_parser = preference)]
    pub(crate) prefer: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) compose: Compose,
}

/// Put components in front of an app, each of which passes calls on to the next.
///
/// Each of them imports and exports INTERFACE. The first is outermost: it gets the
/// calls of the host. The result exports what it exports. Other exports of the app would
/// go past the middlewares, and are left out unless `--also-export` names them.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose chain --on wasi:http/incoming-handler gate.wasm logger.wasm \\
      -o gated.wasm -- app.wasm")]
pub(crate) struct Chain {
    /// The interface, with a version or without
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) on: String,
    /// The components in front, as FILE or NAME=FILE, outermost first
    #[arg(value_name = "MIDDLEWARE", required = true, value_parser = input)]
    pub(crate) middlewares: Vec<Input>,
    /// The app
    #[arg(value_name = "APP", last = true, required = true, value_parser = input)]
    pub(crate) app: Input,
    /// An export of the app that goes past the middlewares, with a version or without; may
    /// be repeated
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) also_export: Vec<String>,
    /// One component that provides other imports; may be repeated
    #[arg(long = "with", value_name = "PART", value_parser = input)]
    pub(crate) parts: Vec<Input>,
    /// Which part provides an interface that several export; may be repeated
    #[arg(long, value_name = "INTERFACE=FILE", value_parser = preference)]
    pub(crate) prefer: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) compose: Compose,
}

/// Exchange parts of a composition; everything else stays as it is.
///
/// The replacement is wired as the part was. What it imports beyond that is wired to
/// the part that exports it, or left to the host. `inspect` lists the parts.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose swap app.wasm --replace cipher=rot13.wasm -o app-rot13.wasm")]
pub(crate) struct Swap {
    /// The composition
    #[arg(value_name = "APP", value_parser = input)]
    pub(crate) app: Input,
    /// The name of a part and its replacement; may be repeated
    #[arg(long, value_name = "NAME=FILE", required = true, value_parser = named_input)]
    pub(crate) replace: Vec<Input>,
    #[command(flatten)]
    pub(crate) compose: Compose,
}

/// Compose what a .wac file says.
///
/// A package of the file is the component of that name: `new parts:cipher` is the one
/// given as `cipher=FILE`, or as a file with that stem.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose run router.wac --with path-router.wasm a=hello.wasm -o routed.wasm")]
pub(crate) struct Run {
    /// The .wac file
    #[arg(value_name = "FILE.wac")]
    pub(crate) file: PathBuf,
    /// One or more components that the file names, as FILE or NAME=FILE; may be repeated
    #[arg(long = "with", value_name = "PART", num_args = 1.., value_parser = input)]
    pub(crate) parts: Vec<Input>,
    /// A WIT file or folder with packages that the file names, as in `targets`; those of
    /// WASI 0.2 are known; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) wit: Vec<PathBuf>,
    /// Where the result goes; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) report: Reported,
}

/// Make everything that a manifest declares, or carry out a plan.
///
/// A manifest, compose.toml, names components and says how each is made; those with an
/// `output` are written, relative to the manifest. A plan is what `--dry-run --format
/// json` of other commands prints, and is written to OUT; its files are relative to
/// the folder that this program is called in.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose build compose.toml")]
pub(crate) struct Build {
    /// The manifest or the plan
    #[arg(value_name = "FILE", default_value = "compose.toml")]
    pub(crate) file: PathBuf,
    /// Where the result of a plan goes; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Make everything, but write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How what was composed is reported
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
