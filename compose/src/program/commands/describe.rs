//! How commands print what was composed.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use compose::{Part, Report, Structure};
use sanitize::line;
use serde::Serialize;

use crate::program::cli::Format;
use crate::program::failure::Failure;
use crate::program::files::unless_closed;
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

/// Prints the description of what was written to `output`.
pub(super) fn describe(
    description: &Description<'_>,
    format: Format,
    output: &Path,
) -> Result<(), Failure> {
    Place::beside(output).print(description, format, print_text)
}

/// Where reports go, and its name in messages.
pub(super) struct Place {
    pub(super) out: Box<dyn Write>,
    name: &'static str,
}

impl Place {
    fn standard_output() -> Self {
        Self {
            out: Box::new(io::stdout().lock()),
            name: "standard output",
        }
    }

    /// For the report on a component that goes to `output`: standard error if that is
    /// standard output.
    pub(super) fn beside(output: &Path) -> Self {
        if output == Path::new("-") {
            Self {
                out: Box::new(io::stderr().lock()),
                name: "standard error",
            }
        } else {
            Self::standard_output()
        }
    }

    fn print<T: Serialize>(
        mut self,
        value: &T,
        format: Format,
        print_text: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let printed = match format {
            Format::Text => print_text(value, &mut self.out),
            Format::Json => print_json(value, &mut self.out),
        };
        self.printed(printed)
    }

    /// Says what came of printing here. A reader that has seen enough, as `head` has,
    /// is not a failure.
    pub(super) fn printed(self, printed: io::Result<()>) -> Result<(), Failure> {
        unless_closed(printed)
            .with_context(|| format!("cannot write to {}", self.name))
            .map_err(Failure::io)
    }
}

/// Prints a command's one answer to standard output.
pub(super) fn answer<T: Serialize>(
    value: &T,
    format: Format,
    print_text: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    Place::standard_output().print(value, format, print_text)
}

/// For people.
pub(super) fn print_text(description: &Description<'_>, out: &mut dyn Write) -> io::Result<()> {
    let size_bytes = description.whole.size_bytes;
    if let Some(output) = &description.output {
        writeln!(out, "{}: {size_bytes} bytes", line(output))?;
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
    out: &mut dyn Write,
) -> io::Result<()> {
    for wire in &structure.wires {
        writeln!(out, "{indent}{wire}")?;
    }
    for import in &structure.host_imports {
        writeln!(out, "{indent}import {}", line(import))?;
    }
    for export in &structure.exports {
        writeln!(out, "{indent}export {}", line(&export.name))?;
    }
    for undescribed in &structure.undescribed {
        writeln!(out, "{indent}not shown: {}", line(undescribed))?;
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
fn print_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", sanitize::json::pretty(value))
}
