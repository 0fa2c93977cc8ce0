//! Flags of the commands that describe or check a component.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use compose::WorldName;

use super::Format;
use super::input::{Input, input};

/// Check whether a component runs on a host of a world.
///
/// Prints the imports of the component if it does, and a remedy for each incompatible import
/// or export if it does not.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose check app.wasm --world proxy")]
pub(crate) struct Check {
    /// Component
    #[arg(value_name = "FILE", value_parser = input)]
    pub(crate) file: Input,
    /// World of the host: `proxy` (wasi:http/proxy) or `command` (wasi:cli/command) of WASI 0.2,
    /// `service` (wasi:http/service) or `middleware` (wasi:http/middleware) of WASI 0.3, any world of
    /// WASI by its full name, such as `wasi:cli/command@0.3.0`, or one of a WIT file or folder, as in
    /// `PATH#world`, or `PATH#wasi:http/proxy` for a world of a dependency
    #[arg(
        long,
        value_name = "proxy|command|service|middleware|wasi:PACKAGE/WORLD|PATH#world"
    )]
    pub(crate) world: WorldName,
    /// Format of the report
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Show the parts and wires of a component.
///
/// The output lists parts with size, digest and producers, wires, imports, exports, and the
/// cost of one instance: the numbers of core instances, memories and tables that the pool of
/// a host needs for each live instance. Interfaces with async functions, streams or futures,
/// as those of WASI 0.3, have these words in brackets.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose inspect app.wasm")]
pub(crate) struct Inspect {
    /// Component
    #[arg(value_name = "FILE", value_parser = input)]
    pub(crate) file: Input,
    /// Format of the output
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Draw a component or a plan.
///
/// Parts are boxes, wires have interface and version as labels, and imports outside of WASI
/// are dashed. Interfaces with async functions, streams or futures have these words as well.
/// Nested compositions are expanded to their parts, named `outer/inner`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose graph app.wasm -o app.svg")]
pub(crate) struct Graph {
    /// Component or plan
    #[arg(value_name = "FILE|PLAN", value_parser = input)]
    pub(crate) file: Input,
    /// Format of the picture
    #[arg(long, value_enum, default_value = "svg")]
    pub(crate) format: Picture,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    pub(crate) output: PathBuf,
}

/// The format of a picture.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Picture {
    /// Picture for light and dark backgrounds
    Svg,
    /// Flowchart for Markdown
    Mermaid,
    /// Graphviz graph
    Dot,
    /// Composition as JSON, without expansion of nested compositions
    Json,
}

/// Show the differences of two compositions.
///
/// Parts are matched by name and compared by digest. The exit code is 0 with or without
/// differences.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose diff app.wasm app-rot13.wasm")]
pub(crate) struct Diff {
    /// First composition
    #[arg(value_name = "A", value_parser = input)]
    pub(crate) before: Input,
    /// Second composition
    #[arg(value_name = "B", value_parser = input)]
    pub(crate) after: Input,
    /// Format of the output
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Compare a composition with its provenance record.
///
/// The record is part of the composition. Every changed byte is detected. The record proves
/// that the file is what was composed, but not the author: a new record can be written after
/// any change.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose verify app.wasm")]
pub(crate) struct Verify {
    /// Composition
    #[arg(value_name = "FILE", value_parser = input)]
    pub(crate) file: Input,
    /// Format of the report
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
