//! What the commands do.
//!
//! - `compose`: one component of several
//! - `build`: what a manifest or a plan says
//! - `make`: a component of something else
//! - `look`: something about a component
//! - `describe`: how all of them print what was composed

mod build;
mod compose;
mod describe;
mod look;
mod make;

use super::cli::{Cli, Command, Format};
use super::failure::Failure;

/// Runs the command of the command line.
pub(super) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Link(arguments) => compose::link(&arguments),
        Command::Chain(arguments) => compose::chain(&arguments),
        Command::Swap(arguments) => compose::swap(&arguments),
        Command::Run(arguments) => compose::run(&arguments),
        Command::Build(arguments) => build::build(&arguments),
        Command::Env(arguments) => make::env(arguments),
        Command::Stub(arguments) => make::stub(&arguments),
        Command::Extract(arguments) => make::extract(&arguments),
        Command::Fuse(arguments) => make::fuse(&arguments),
        Command::EmitWac(arguments) => make::emit_wac(&arguments),
        Command::Check(arguments) => look::check(&arguments),
        Command::Inspect(arguments) => look::inspect(&arguments),
        Command::Graph(arguments) => look::graph(&arguments),
        Command::Diff(arguments) => look::diff(&arguments),
        Command::Verify(arguments) => look::verify(&arguments),
    }
}

/// The format in which the command line asks for reports.
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
