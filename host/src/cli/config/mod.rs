//! `--config`: the configuration file (TOML).
//!
//! The command line is the only definition of flags. The entries of the file become
//! command-line arguments, so that defaults, parsers and requirements between flags are the
//! same in both.
//!
//! - this file: [`Cli::read`], from arguments to flags.
//! - `file.rs`: the parser of the file.
//! - `functions_file.rs`: `--functions`, a file with one table for each function.
//! - `value.rs`: TOML values, as arguments and in errors.
//! - `entry.rs`: one value of one flag, and errors about it.

mod entry;
mod file;
mod functions_file;
#[cfg(test)]
mod tests;
mod value;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command as Definition, CommandFactory, Error, FromArgMatches};

use super::function_flags::Defaults;
use super::{Cli, Command};
use entry::Entry;
pub use functions_file::{FunctionsError, read_functions};

/// The command that a file configures.
const SERVE: &str = "serve";

/// The name of the program and of [`SERVE`], before the flags.
const WORDS_BEFORE_FLAGS: usize = 2;

/// The only key of a file that is not a flag on the command line.
const COMPONENT: &str = "component";

/// The alternative key, for many components.
const FUNCTIONS: &str = "functions";

impl Cli {
    /// Reads a command line, whose first word is the name of the program, and the file of
    /// --config. The command line takes precedence over the file.
    ///
    /// # Errors
    ///
    /// Fails if the command line or the file is invalid, and for --help. Errors show no
    /// password.
    pub fn read(words: impl IntoIterator<Item: Into<OsString>>) -> Result<Self, Error> {
        let mut words: Vec<_> = words.into_iter().map(Into::into).collect();
        let mut entries = Vec::new();
        if let Some((path, given)) = config(&words) {
            let flags = single_flags();
            entries = file::read(&path, &flags)?;
            check(&entries, &flags)?;
            // On the command line, each of the two overrides both in the file.
            let names_served = |id: &str| id == COMPONENT || id == FUNCTIONS;
            let is_served_given = is_given(&given, COMPONENT) || is_given(&given, FUNCTIONS);
            entries.retain(|entry| {
                let id = entry.id.as_str();
                !is_given(&given, id) && (!is_served_given || !names_served(id))
            });
            add(&mut words, &entries);
            if !is_served_given && !entries.iter().any(|entry| names_served(entry.id.as_str())) {
                return Err(no_component(&path));
            }
        }
        let mut definition = Self::command();
        let matches = definition.try_get_matches_from_mut(words);
        let matches = matches.map_err(|error| explained(without_login(error), &entries))?;
        let mut cli = Self::from_arg_matches(&matches).map_err(|e| e.format(&mut definition))?;
        if let (Command::Serve(serve), Some((_, matches))) =
            (&mut cli.command, matches.subcommand())
        {
            serve.limits_in_words = limits(&definition, matches);
            serve.function_defaults = Defaults::of(matches);
        }
        cli.checked()
    }
}

/// The file of --config and the arguments. None also for an invalid command line, whose error
/// is reported before a file is read.
fn config(words: &[OsString]) -> Option<(PathBuf, ArgMatches)> {
    let definition = Cli::command().mut_subcommand(SERVE, independent);
    let mut matches = definition.try_get_matches_from(words).ok()?;
    let (_, serve) = matches
        .remove_subcommand()
        .filter(|(name, _)| name == SERVE)?;
    let path = serve.get_one::<PathBuf>("config")?.clone();
    Some((path, serve))
}

/// Drops the requirements between flags: the file may fulfil them.
fn independent(serve: Definition) -> Definition {
    serve.mut_args(|arg| {
        let arg = arg.required(false).requires(Resettable::Reset);
        arg.required_unless_present(Resettable::Reset)
    })
}

/// The definition of single flags of [`SERVE`], as in a file.
fn single_flags() -> Definition {
    let serve = Cli::command().find_subcommand(SERVE).cloned();
    let serve = serve.unwrap_or_default();
    independent(serve).mut_arg(COMPONENT, |component| component.long(COMPONENT))
}

fn is_given(given: &ArgMatches, id: &str) -> bool {
    given.value_source(id) == Some(ValueSource::CommandLine)
}

/// Lets the parsers of the command line look at the values in a file.
fn check(entries: &[Entry], flags: &Definition) -> Result<(), Error> {
    let parse = |entries: &[Entry]| {
        let name = flags.get_name().to_owned();
        let words = std::iter::once(OsString::from(name)).chain(entries.iter().map(Entry::word));
        flags.clone().try_get_matches_from(words).map(drop)
    };
    if parse(entries).is_ok() {
        return Ok(());
    }
    for entry in entries {
        let alone = std::slice::from_ref(entry);
        parse(alone).map_err(|error| entry.rejected_by(&without_login(error)))?;
    }
    // What is wrong with all of them together is found with the command line.
    Ok(())
}

/// Puts what a file says into a command line that does not say the same.
fn add(words: &mut Vec<OsString>, entries: &[Entry]) {
    let is_flag = |entry: &&Entry| entry.id != COMPONENT;
    let flags: Vec<_> = entries.iter().filter(is_flag).map(Entry::word).collect();
    words.splice(WORDS_BEFORE_FLAGS..WORDS_BEFORE_FLAGS, flags);
    if let Some(component) = entries.iter().find(|entry| entry.id == COMPONENT) {
        words.extend(["--".into(), component.value.clone().into()]);
    }
}

fn no_component(path: &Path) -> Error {
    let path = path.display();
    failure(&format!(
        "neither the command line nor `{path}` names a component: give APP.wasm or --functions, \
         or write `component = \"APP.wasm\"` or `functions = \"PATH\"`"
    ))
}

/// Adds the line of the file whose entry requires another flag.
fn explained(error: Error, entries: &[Entry]) -> Error {
    let missing = |error: &Error| match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing.clone(),
        _ => Vec::new(),
    };
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return error;
    }
    let all_missing = missing(&error);
    for entry in entries {
        let mut words = vec!["component-runner".into(), SERVE.into(), "APP.wasm".into()];
        words.push(entry.word());
        if let Err(error) = Cli::command().try_get_matches_from(words)
            && let Some(flag) = missing(&error)
                .iter()
                .find(|flag| all_missing.contains(flag))
        {
            return entry.rejected(&format!("requires `{flag}`"));
        }
    }
    error
}

/// Removes a password from the value in an error.
fn without_login(mut error: Error) -> Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let shown = entry::without_login(value);
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    error
}

/// All effective limits: `request-timeout=30 cpu-timeout=10`, except those with a default of the
/// system.
fn limits(definition: &Definition, matches: &ArgMatches) -> String {
    let serve = definition.find_subcommand(SERVE);
    let flags = serve.into_iter().flat_map(Definition::get_arguments);
    let is_limit = |heading: &str| heading.starts_with("Limits");
    let limits = flags.filter(|flag| flag.get_help_heading().is_some_and(is_limit));
    let shown = limits.filter_map(|flag| {
        let value = matches.get_raw(flag.get_id().as_str())?.next()?;
        Some(format!("{}={}", flag.get_long()?, value.display()))
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// An error with this text.
fn failure(text: &str) -> Error {
    Error::raw(ErrorKind::ValueValidation, format!("{text}\n"))
}
