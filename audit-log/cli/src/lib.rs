//! The commands `component-runner audit …`.
//!
//! A crate of its own, so that an auditor can build the commands, and their tests can run, without
//! the server: `cargo run --release -p audit-log-cli --example audit -- verify --help`.
//!
//! - this file: [`run`], and one function for each command.
//! - `flags.rs`: the command line.
//! - `wait.rs`: the wait of `tail --follow`.
//! - `progress.rs`: the progress of `verify`.

#![forbid(unsafe_code)]

mod flags;
mod progress;
mod wait;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

use audit_log::export::{export, export_to};
use audit_log::print::Printer;
use audit_log::prune::{Pruned, prune};
use audit_log::query::query;
use audit_log::read::{Reader, Start};
use audit_log::tail::tail;
use audit_log::verify::{CheckpointFile, INCOMPLETE, Options, verify};
use audit_log::{Location, PublicKey, SigningKey, TimeBound};
pub use flags::{AuditCommand, Export, Key, KeyFile, Log, Prune, Query, Tail, Verify};
use progress::ProgressDisplay;
use wait::FollowWait;

/// Executes `command`. Returns false for a finding, which is exit code 1.
///
/// If standard output is closed, it ends early and returns true.
///
/// # Errors
///
/// Fails if the log cannot be read or written, which is exit code 1, too.
pub fn run(command: &AuditCommand) -> Result<bool> {
    let mut wait = FollowWait::new();
    run_on(command, &mut io::stdout().lock(), &mut || wait.wait())
}

/// Executes `command` with another output. At the end of the log, `tail --follow` calls `wait`,
/// and continues if that returns true.
///
/// # Errors
///
/// Fails if the log cannot be read or written.
pub fn run_on(
    command: &AuditCommand,
    output: &mut dyn Write,
    wait: &mut dyn FnMut() -> bool,
) -> Result<bool> {
    let result = match command {
        AuditCommand::Tail(flags) => run_tail(flags, output, wait),
        AuditCommand::Query(flags) => run_query(flags, output),
        AuditCommand::Verify(flags) => return run_verify(flags, output),
        AuditCommand::Export(flags) => run_export(flags, output),
        AuditCommand::Prune(flags) => return run_prune(flags, output),
        AuditCommand::Key(flags) => run_key(flags, output),
    };
    match result {
        Err(error) if is_closed(&error) => Ok(true),
        result => result,
    }
}

/// Whether the output was closed.
fn is_closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Prints a result. A closed output is not an error, because the command has been executed.
fn print(output: &mut dyn Write, text: &str) -> Result<()> {
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Opens a log for printing or export, and warns if it may be incomplete.
fn open(log: &Log, start: Start) -> Result<Reader> {
    let reader = Reader::open(&log.location()?, start)?;
    if reader.may_be_incomplete()? {
        warn(INCOMPLETE);
    }
    Ok(reader)
}

fn run_tail(flags: &Tail, output: &mut dyn Write, wait: &mut dyn FnMut() -> bool) -> Result<bool> {
    let mut reader = open(&flags.log, Start::Last(flags.number))?;
    let mut printer = Printer::new(flags.format, output)?;
    tail(&mut reader, &mut printer, &mut || flags.follow && wait())?;
    Ok(all_readable(printer.unreadable()))
}

fn run_query(flags: &Query, output: &mut dyn Write) -> Result<bool> {
    let mut reader = open(&flags.log, Start::First)?;
    let mut printer = Printer::new(flags.format, output)?;
    query(&mut reader, &flags.filter(), &mut printer)?;
    Ok(all_readable(printer.unreadable()))
}

fn all_readable(unreadable: u64) -> bool {
    if unreadable > 0 {
        warn(&format!(
            "{unreadable} unreadable records were skipped; run `component-runner audit verify`"
        ));
    }
    unreadable == 0
}

fn warn(text: &str) {
    // A closed standard error is not an error of the command.
    let _ = writeln!(io::stderr(), "{text}");
}

fn run_verify(flags: &Verify, output: &mut dyn Write) -> Result<bool> {
    let mut options = Options::default();
    for path in &flags.public_keys {
        options.keys.push(PublicKey::read(path)?);
    }
    // Read before the log, which must then contain every record that they attest.
    for path in &flags.checkpoints {
        let file = CheckpointFile::read(path)?;
        for line in file.other_lines {
            let path = path.display();
            warn(&format!(
                "line {line} of `{path}` is not a checkpoint and was ignored"
            ));
        }
        options.checkpoints.extend(file.checkpoints);
    }
    if !options.keys.is_empty() || !options.checkpoints.is_empty() {
        // Keys and checkpoints belong to one log.
        return verify_log(&flags.log.location()?, &options, output);
    }
    let locations = flags.log.locations()?;
    if let [location] = &locations[..] {
        return verify_log(location, &options, output);
    }
    let mut is_good = true;
    for location in &locations {
        print(output, &format!("{location}\n"))?;
        // The other logs are verified even if one cannot be read.
        is_good &= verify_log(location, &options, output).unwrap_or_else(|error| {
            warn(&format!("error: {error:#}"));
            false
        });
    }
    Ok(is_good)
}

fn verify_log(location: &Location, options: &Options, output: &mut dyn Write) -> Result<bool> {
    let mut reader = Reader::open(location, Start::First)?;
    let mut display = ProgressDisplay::new();
    let report = verify(&mut reader, options, &mut |progress| {
        display.show(progress);
    });
    display.clear();
    let report = report?;
    print(output, &report.to_string())?;
    Ok(report.is_good())
}

fn run_export(flags: &Export, output: &mut dyn Write) -> Result<bool> {
    let mut reader = open(&flags.log, Start::First)?;
    match &flags.output {
        None => {
            export(&mut reader, output)?;
        }
        Some(path) => {
            let records = export_to(&mut reader, path)?;
            let path = path.display();
            print(output, &format!("wrote {records} records to `{path}`\n"))?;
        }
    }
    Ok(true)
}

fn run_prune(flags: &Prune, output: &mut dyn Write) -> Result<bool> {
    let location = flags.log.location()?;
    // Reports an error of the log before one of its key.
    Reader::open(&location, Start::First)?;
    let key = SigningKey::open(&flags.file.path(&location)?)?;
    let before: &TimeBound = &flags.before;
    let text = match prune(&location, before, &key)? {
        Some(Pruned { first, last }) => format!(
            "removed {} records, {first} to {last}; the log begins with record {}\n",
            last + 1 - first,
            last + 1
        ),
        None => format!(
            "removed nothing: no record covered by a checkpoint of the key is older than {before}\n"
        ),
    };
    print(output, &text)?;
    Ok(true)
}

fn run_key(flags: &Key, output: &mut dyn Write) -> Result<bool> {
    let location = flags.log.location()?;
    let key = SigningKey::open(&flags.file.path(&location)?)?.public_key();
    let text = if flags.hex {
        format!("{key}\n")
    } else {
        key.to_pem()
    };
    print(output, &text)?;
    Ok(true)
}

impl KeyFile {
    /// The named file, or the default one in the folder of the log.
    fn path(&self, location: &Location) -> Result<PathBuf> {
        let path = self.path.clone().or_else(|| location.sibling("key"));
        path.with_context(|| {
            format!("the audit log `{location}` has no default key; name one with `--key`")
        })
    }
}
