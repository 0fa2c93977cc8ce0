//! The description of a composition, as text and as JSON.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use compose::{Composition, Node, Report};
use sanitize::line;
use serde::Serialize;

use crate::args::Format;
use crate::failure::Failure;
use crate::failure::print_error;
use crate::files::ignore_broken_pipe;

/// The description of a composed component.
#[derive(Serialize)]
pub(super) struct Description<'d> {
    /// Name, size and digest of the result.
    pub(super) whole: Node,
    /// The path of the output file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<String>,
    /// Its nodes, wires, imports and exports.
    #[serde(rename = "structure")]
    pub(super) composition: &'d Composition,
    /// Warnings.
    pub(super) report: &'d Report,
}

/// Prints the description of the component that was written to `output`.
pub(super) fn describe(
    description: &Description<'_>,
    format: Format,
    output: &Path,
) -> Result<(), Failure> {
    ReportStream::for_output(output).print(description, format, print_text)
}

/// The stream of a report, and its name in messages.
pub(super) struct ReportStream {
    pub(super) out: Box<dyn Write>,
    name: &'static str,
}

impl ReportStream {
    fn standard_output() -> Self {
        Self {
            out: Box::new(io::stdout().lock()),
            name: "standard output",
        }
    }

    /// The stream of the report about `output`: standard error if the component itself goes to
    /// standard output.
    pub(super) fn for_output(output: &Path) -> Self {
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
        self.finish(printed)
    }

    /// Converts the result of printing. A closed pipe, as of `head`, is not a failure.
    pub(super) fn finish(self, printed: io::Result<()>) -> Result<(), Failure> {
        ignore_broken_pipe(printed)
            .with_context(|| format!("cannot write to {}", self.name))
            .map_err(Failure::io)
    }
}

/// Prints the result of a command to standard output.
pub(super) fn print_result<T: Serialize>(
    value: &T,
    format: Format,
    print_text: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    ReportStream::standard_output().print(value, format, print_text)
}

/// Prints a description as text.
pub(super) fn print_text(description: &Description<'_>, out: &mut dyn Write) -> io::Result<()> {
    let size_bytes = description.whole.size_bytes;
    if let Some(output) = &description.output {
        writeln!(out, "{}: {size_bytes} bytes", line(output))?;
        print_composition(description.composition, "  ", out)?;
    } else {
        print_composition(description.composition, "", out)?;
        writeln!(out, "{size_bytes} bytes")?;
    }
    print_warnings(description.report);
    Ok(())
}

/// Prints wires, host imports and exports.
pub(super) fn print_composition(
    composition: &Composition,
    indent: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    for wire in &composition.wires {
        writeln!(out, "{indent}{wire}")?;
    }
    for import in &composition.host_imports {
        writeln!(out, "{indent}import {}", line(import))?;
    }
    for export in &composition.exports {
        writeln!(out, "{indent}export {}", line(&export.name))?;
    }
    for undescribed in &composition.undescribed {
        writeln!(out, "{indent}not shown: {}", line(undescribed))?;
    }
    Ok(())
}

/// Prints warnings to standard error, for any stream of the result.
pub(super) fn print_warnings(report: &Report) {
    if !report.diagnostics.is_empty() {
        print_error(&report.to_string());
    }
}

/// Prints `value` as indented JSON.
fn print_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", sanitize::json::pretty(value))
}
