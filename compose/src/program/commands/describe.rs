//! How commands print what was composed.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use compose::{Part, Report, Structure};
use serde::Serialize;

use crate::program::cli::Format;
use crate::program::failure::Failure;
use crate::program::say;

/// What is known about something composed.
#[derive(Serialize)]
pub(super) struct Description<'d> {
    /// Name, size and digest of the result.
    pub(super) whole: Part,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<String>,
    pub(super) structure: &'d Structure,
    pub(super) report: &'d Report,
}

/// Prints the description; to standard error if the component itself went to
/// standard output.
pub(super) fn describe(
    description: &Description<'_>,
    format: Format,
    output: Option<&Path>,
) -> Result<(), Failure> {
    if output == Some(Path::new("-")) {
        print(
            description,
            format,
            &mut io::stderr().lock(),
            "standard error",
        )
    } else {
        print(
            description,
            format,
            &mut io::stdout().lock(),
            "standard output",
        )
    }
}

fn print(
    description: &Description<'_>,
    format: Format,
    out: &mut impl Write,
    place: &str,
) -> Result<(), Failure> {
    let printed = match format {
        Format::Text => print_text(description, out),
        Format::Json => print_json(description, out),
    };
    printed
        .with_context(|| format!("cannot write to {place}"))
        .map_err(Failure::io)
}

/// For people.
pub(super) fn print_text(description: &Description<'_>, out: &mut impl Write) -> io::Result<()> {
    let size_bytes = description.whole.size_bytes;
    if let Some(output) = &description.output {
        writeln!(out, "{output}: {size_bytes} bytes")?;
        print_structure(description.structure, "  ", out)?;
    } else {
        print_structure(description.structure, "", out)?;
        writeln!(out, "{size_bytes} bytes")?;
    }
    print_warnings(description.report);
    Ok(())
}

/// The wires from the exports on, and then what is left to the host.
pub(super) fn print_structure(
    structure: &Structure,
    indent: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    for wire in &structure.wires {
        writeln!(out, "{indent}{wire}")?;
    }
    for import in &structure.host_imports {
        writeln!(out, "{indent}import {import}")?;
    }
    for export in &structure.exports {
        writeln!(out, "{indent}export {}", export.name)?;
    }
    for undescribed in &structure.undescribed {
        writeln!(out, "{indent}not shown: {undescribed}")?;
    }
    Ok(())
}

/// Warnings are for people, wherever the rest goes.
pub(super) fn print_warnings(report: &Report) {
    if !report.diagnostics.is_empty() {
        say(&report.to_string());
    }
}

/// Prints `value` as JSON for people and programs.
pub(super) fn print_json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Prints a command's one answer to standard output.
pub(super) fn answer<T: Serialize>(
    value: &T,
    format: Format,
    print_text: impl FnOnce(&T, &mut io::StdoutLock<'_>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = match format {
        Format::Text => print_text(value, &mut stdout),
        Format::Json => print_json(value, &mut stdout),
    };
    printed
        .context("cannot write to standard output")
        .map_err(Failure::io)
}
