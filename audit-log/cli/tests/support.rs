//! Commands as a user writes them, and the logs that they run on.

use audit_log_cli::{AuditCommand, run_on};
use clap::{FromArgMatches, Subcommand};

pub(crate) use test_logs::{
    attest, block_on, boot, folder, json_lines, key, lines, locations, open, record, sqlite,
};

/// Runs a command line. Returns its output, and false for a finding.
pub(crate) fn command(arguments: &[&str]) -> (String, bool) {
    try_command(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error:#}"))
}

pub(crate) fn try_command(arguments: &[&str]) -> anyhow::Result<(String, bool)> {
    let mut output = Vec::new();
    let good = run_on(&parse(arguments), &mut output, &mut || false)?;
    Ok((String::from_utf8(output)?, good))
}

pub(crate) fn parse(arguments: &[&str]) -> AuditCommand {
    let program = clap::Command::new("audit");
    let program = AuditCommand::augment_subcommands(program);
    let matches = program.try_get_matches_from([&["audit"], arguments].concat());
    let matches = matches.unwrap_or_else(|error| panic!("{error}"));
    AuditCommand::from_arg_matches(&matches).expect("a command")
}

pub(crate) fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}
