//! Flags of the commands that say something about a component.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use compose::WorldName;

use super::Format;
use super::input::{Input, input};

/// Check whether a component runs on a plain host.
///
/// Says what the component imports if it does, and what to do about each import
/// or export that does not fit if it does not.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose check app.wasm --world proxy")]
pub(crate) struct Check {
    /// The component
    #[arg(value_name = "FILE", value_parser = input)]
    pub(crate) file: Input,
    /// The world that the host offers: `proxy` (wasi:http/proxy), `command`
    /// (wasi:cli/command), or one of a WIT file or folder, as in `PATH#world`
    #[arg(long, value_name = "proxy|command|PATH#world")]
    pub(crate) world: WorldName,
    /// How the findings are reported
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Show what a component consists of.
///
/// Parts with size, digest and the tools that made them; every wire; imports and
/// exports; and what one instance costs: a host's pool needs as many core instances,
/// memories and tables for each instance that is alive.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose inspect app.wasm")]
pub(crate) struct Inspect {
    /// The component
    #[arg(value_name = "FILE", value_parser = input)]
    pub(crate) file: Input,
    /// How it is shown
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Draw a component or a plan.
///
/// Parts are boxes, wires are labelled with interface and version, and imports that
/// no plain WASI host offers are dashed. Of a part that is a composition itself, its
/// parts are drawn, as `outer/inner`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose graph app.wasm -o app.svg")]
pub(crate) struct Graph {
    /// The component or the plan
    #[arg(value_name = "FILE|PLAN", value_parser = input)]
    pub(crate) file: Input,
    /// How it is drawn
    #[arg(long, value_enum, default_value = "svg")]
    pub(crate) format: Picture,
    /// Where the picture goes; `-` is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    pub(crate) output: PathBuf,
}

/// A way to draw.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Picture {
    /// A picture, readable on light and on dark ground
    Svg,
    /// A flowchart for Markdown
    Mermaid,
    /// For Graphviz
    Dot,
    /// The facts alone, of the parts of the whole
    Json,
}

/// Show what is different between two compositions.
///
/// Parts are matched by name and compared by digest. Exits with 0 whether there are differences or
/// not.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose diff app.wasm app-rot13.wasm")]
pub(crate) struct Diff {
    /// The first composition
    #[arg(value_name = "A", value_parser = input)]
    pub(crate) before: Input,
    /// The second
    #[arg(value_name = "B", value_parser = input)]
    pub(crate) after: Input,
    /// How the differences are shown
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Compare a composition with the record of what it was made of.
///
/// The record is in the composition itself. Every changed byte is found. It proves
/// that the file is what was composed, not who composed it: whoever changes the file
/// can write a new record.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose verify app.wasm")]
pub(crate) struct Verify {
    /// The composition
    #[arg(value_name = "FILE", value_parser = input)]
    pub(crate) file: Input,
    /// How the findings are reported
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
