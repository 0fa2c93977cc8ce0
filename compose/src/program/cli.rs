//! The flags.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Compose WebAssembly components, and see what was composed.
#[derive(Debug, Parser)]
#[command(name = "component-compose", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Link(Link),
    Env(Env),
    Fuse(Fuse),
    Check(Check),
}

/// Link a root component with the parts that provide its imports.
///
/// Every import of the root, and of the parts, is wired to the part that exports
/// it, under the same name or a version on the same track. What no part exports
/// stays an import. The result exports what the root exports. What was composed
/// goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose link http-adapter.wasm --with cipher.wasm -o app.wasm")]
pub(crate) struct Link {
    /// The component whose exports the result has
    #[arg(value_name = "ROOT")]
    pub(crate) root: PathBuf,
    /// A component that provides imports; may be repeated
    #[arg(long = "with", value_name = "PART", num_args = 1..)]
    pub(crate) parts: Vec<PathBuf>,
    /// Where the result goes; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
}

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
    /// Where the component goes; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
}

/// Make one core module of all parts of a component, so that it runs faster.
///
/// The result imports, exports and does the same. Each part keeps a memory of
/// its own, but the handles of all parts are in one table: a hostile part could
/// use what another got from the host. Fuse only parts that trust each other. A host
/// must take modules with several memories: `wasmtime serve` does so with
/// `-Opooling-max-memories-per-module=N -Opooling-max-tables-per-module=N`.
/// What became of the core instances goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  component-compose fuse app.wasm -o app-fused.wasm")]
pub(crate) struct Fuse {
    /// The component
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where the result goes; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
}

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
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The world that the host offers
    #[arg(long, value_enum)]
    pub(crate) world: WorldName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum WorldName {
    /// `wasi:http/proxy` of WASI 0.2.12
    Proxy,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("expected a name before `=`, as in `K=V`".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("expected `K=V`".to_owned()),
    }
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
    fn a_value_may_contain_an_equals_sign_and_may_be_empty() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A="), Ok(("A".into(), String::new())));
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
