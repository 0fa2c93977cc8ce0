//! The commands for an audit log, as the server has them under `audit`.
//!
//! - this file: [`run`].
//! - `cli.rs`: the flags.
//! - `pause.rs`: how `tail --follow` waits, and when it ends.
//! - `progress.rs`: how far `verify` is.

#![forbid(unsafe_code)]

mod flags;
mod progress;
mod wait;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

use audit_log::export::{export, export_to};
use audit_log::prune::{Pruned, prune};
use audit_log::query::query;
use audit_log::read::{Reader, Start};
use audit_log::show::Printer;
use audit_log::tail::tail;
use audit_log::verify::{Copies, INCOMPLETE, Options, verify};
use audit_log::{Location, Moment, PublicKey, SigningKey};
pub use flags::{AuditCommand, Export, Key, KeyFile, Log, Prune, Query, Tail, Verify};
use progress::Display;
use wait::Pause;

/// Does what `command` says. Returns whether all is well, which is the exit code 0;
/// otherwise something was found that is wrong, which is the exit code 1.
///
/// If nobody reads standard output any more, it ends early, and all is well.
///
/// # Errors
///
/// Fails if the log cannot be read or written. That is the exit code 1, too.
pub fn run(command: &AuditCommand) -> Result<bool> {
    let mut pause = Pause::new();
    run_on(command, &mut io::stdout().lock(), &mut || pause.wait())
}

/// Does the same with another output. While `tail --follow` has nothing to show, it
/// calls `wait`, which says whether to go on.
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

/// Whether nobody reads the output any more.
fn is_closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Prints what was already done, which is done also if nobody reads it.
fn say(output: &mut dyn Write, text: &str) -> Result<()> {
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Opens a log to show or copy what it has, and says if that may not be all.
fn open(log: &Log, start: Start) -> Result<Reader> {
    let reader = Reader::open(&log.location()?, start)?;
    if reader.may_be_incomplete()? {
        note(INCOMPLETE);
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
        note(&format!(
            "{unreadable} of the records cannot be read and are not shown; `component-runner \
             audit verify` says more"
        ));
    }
    unreadable == 0
}

fn note(text: &str) {
    // Whoever closed standard error does not want to read it.
    let _ = writeln!(io::stderr(), "{text}");
}

fn run_verify(flags: &Verify, output: &mut dyn Write) -> Result<bool> {
    let mut options = Options::default();
    for path in &flags.public_keys {
        options.keys.push(PublicKey::read(path)?);
    }
    // These first: what they attest must be in the log when that is read.
    for path in &flags.checkpoints {
        let copies = Copies::read(path)?;
        for line in copies.other_lines {
            let path = path.display();
            note(&format!(
                "line {line} of `{path}` is no checkpoint and was left out"
            ));
        }
        options.checkpoints.extend(copies.checkpoints);
    }
    if !options.keys.is_empty() || !options.checkpoints.is_empty() {
        // These are of one log.
        return verify_log(&flags.log.location()?, &options, output);
    }
    let locations = flags.log.locations()?;
    if let [location] = &locations[..] {
        return verify_log(location, &options, output);
    }
    let mut is_good = true;
    for location in &locations {
        say(output, &format!("{location}\n"))?;
        // A log that cannot be read hides nothing of the others.
        is_good &= verify_log(location, &options, output).unwrap_or_else(|error| {
            note(&format!("error: {error:#}"));
            false
        });
    }
    Ok(is_good)
}

fn verify_log(location: &Location, options: &Options, output: &mut dyn Write) -> Result<bool> {
    let mut reader = Reader::open(location, Start::First)?;
    let mut display = Display::new();
    let report = verify(&mut reader, options, &mut |progress| {
        display.show(progress);
    });
    display.end();
    let report = report?;
    say(output, &report.to_string())?;
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
            say(output, &format!("wrote {records} records to `{path}`\n"))?;
        }
    }
    Ok(true)
}

fn run_prune(flags: &Prune, output: &mut dyn Write) -> Result<bool> {
    let location = flags.log.location()?;
    // An error of the log says more than one of its key.
    Reader::open(&location, Start::First)?;
    let key = SigningKey::open(&flags.file.path(&location)?)?;
    let before: &Moment = &flags.before;
    let text = match prune(&location, before, &key)? {
        Some(Pruned { first, last }) => format!(
            "removed {} records, {first} to {last}; the log begins with record {}\n",
            last + 1 - first,
            last + 1
        ),
        None => format!(
            "removed nothing: no record that a checkpoint of the key covers is older than {before}\n"
        ),
    };
    say(output, &text)?;
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
    say(output, &text)?;
    Ok(true)
}

impl KeyFile {
    /// The file that is named, or the one beside the log.
    fn path(&self, location: &Location) -> Result<PathBuf> {
        let path = self.path.clone().or_else(|| location.beside("key"));
        path.with_context(|| {
            format!("the audit log `{location}` has no key beside it; name one with `--key`")
        })
    }
}
