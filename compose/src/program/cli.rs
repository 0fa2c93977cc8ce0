//! The flags.
//!
//! - `compose`: commands that make one component of several
//! - `make`: commands that make a component of something else
//! - `look`: commands that say something about a component
//! - `input`: how files are named on the command line

mod compose;
mod input;
mod look;
mod make;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use compose::{Build, Chain, Compose, Link, Run, Swap};
pub(crate) use input::Input;
pub(crate) use look::{Check, Diff, Graph, Inspect, Picture, Verify};
pub(crate) use make::{EmitWac, Env, Extract, Fuse, Stub};

/// Compose WebAssembly components, and see what was composed.
#[derive(Debug, Parser)]
#[command(
    name = "component-compose",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit codes:
   0  done
   1  a file cannot be read or written
   2  something is wanted that nobody provides
   3  two sides do not fit each other, or a file is not what it was
   4  there is more than one way to do it
   5  a component cannot be used
  64  the command line, a manifest or a .wac file cannot be used"
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

/// Where a component goes.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Where the result goes; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
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
