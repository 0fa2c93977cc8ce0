//! The commands.
//!
//! - `compose`: `link`, `chain`, `swap`, `run`
//! - `build`: manifests and plans
//! - `generate`: `env`, `stub`, `extract`, `fuse`, `emit-wac`
//! - `inspect`: `check`, `inspect`, `graph`, `diff`, `verify`
//! - `describe`: the description of a composition, which several commands print

mod build;
mod compose;
mod describe;
mod generate;
mod inspect;

use crate::args::{Cli, Command, Format};
use crate::failure::Failure;

/// Runs the command of the command line.
pub(super) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Link(arguments) => compose::link(&arguments),
        Command::Chain(arguments) => compose::chain(&arguments),
        Command::Swap(arguments) => compose::swap(&arguments),
        Command::Run(arguments) => compose::run(&arguments),
        Command::Build(arguments) => build::build(&arguments),
        Command::Env(arguments) => generate::env(arguments),
        Command::Stub(arguments) => generate::stub(&arguments),
        Command::Extract(arguments) => generate::extract(&arguments),
        Command::Fuse(arguments) => generate::fuse(&arguments),
        Command::EmitWac(arguments) => generate::emit_wac(&arguments),
        Command::Check(arguments) => inspect::check(&arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::Graph(arguments) => inspect::graph(&arguments),
        Command::Diff(arguments) => inspect::diff(&arguments),
        Command::Verify(arguments) => inspect::verify(&arguments),
    }
}

/// The report format that the command line selects.
pub(super) fn format(cli: &Cli) -> Format {
    match &cli.command {
        Command::Link(arguments) => arguments.compose.report.format,
        Command::Chain(arguments) => arguments.compose.report.format,
        Command::Swap(arguments) => arguments.compose.report.format,
        Command::Run(arguments) => arguments.report.format,
        Command::Build(arguments) => arguments.format,
        Command::Check(arguments) => arguments.format,
        Command::Inspect(arguments) => arguments.format,
        Command::Diff(arguments) => arguments.format,
        Command::Verify(arguments) => arguments.format,
        Command::Env(_)
        | Command::Stub(_)
        | Command::Extract(_)
        | Command::Fuse(_)
        | Command::EmitWac(_)
        | Command::Graph(_) => Format::Text,
    }
}
