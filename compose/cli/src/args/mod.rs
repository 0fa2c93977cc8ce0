//! The flags.
//!
//! - `compose`: flags of the commands that compose several components
//! - `generate`: flags of the commands that convert or generate one component
//! - `inspect`: flags of the commands that describe or check a component
//! - `input`: component files and their names

mod compose;
mod generate;
mod input;
mod inspect;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use compose::{Build, Chain, Compose, Link, Run, Swap};
pub(crate) use generate::{EmitWac, Env, Extract, Fuse, Stub};
pub(crate) use input::Input;
pub(crate) use inspect::{Check, Diff, Graph, Inspect, Picture, Verify};

/// Compose WebAssembly components, and inspect compositions.
#[derive(Debug, Parser)]
#[command(
    name = "component-compose",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit codes:
   0  success
   1  a file cannot be read or written
   2  a required component, interface or export is missing
   3  two sides are incompatible, or a file differs from its record
   4  more than one candidate is possible
   5  a component is invalid or unsupported
  64  the command line, a manifest or a .wac file is invalid"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Link(Link),
    Chain(Chain),
    Swap(Swap),
    Run(Run),
    Build(Build),
    Env(Env),
    Stub(Stub),
    Extract(Extract),
    Fuse(Fuse),
    EmitWac(EmitWac),
    Check(Check),
    Inspect(Inspect),
    Graph(Graph),
    Diff(Diff),
    Verify(Verify),
}

/// The output file of a component.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
}

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    Text,
    /// JSON for programs
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_accepts_the_flags() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_has_an_example() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_help().to_string();
            let example = format!("component-compose {}", command.get_name());
            assert!(help.contains(&example), "{help}");
        }
    }
}
