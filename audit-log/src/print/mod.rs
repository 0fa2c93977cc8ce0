//! Output formats of records.
//!
//! - this file: [`Format`] and [`Printer`].
//! - `text.rs`: text for people.
//! - `table.rs`: CSV.

mod table;
mod text;

use std::io::{self, BufWriter, Write};

use crate::read::ReadError;
use crate::record::Record;
use sanitize::json;
use table::Table;

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A line of text for people.
    #[default]
    Text,
    /// The canonical bytes and a line feed, as JSON lines.
    Json,
    /// CSV with a header.
    Csv,
}

/// A writer of records in one format.
#[derive(Debug)]
pub struct Printer<W: Write> {
    output: Output<W>,
    unreadable: u64,
}

#[derive(Debug)]
enum Output<W: Write> {
    Text(BufWriter<W>),
    Json(BufWriter<W>),
    Csv(Box<Table<W>>),
}

/// An error of printing records.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Write(#[from] io::Error),
}

impl<W: Write> Printer<W> {
    /// Creates a printer that writes to `output`.
    ///
    /// # Errors
    ///
    /// Fails if the header cannot be written.
    pub fn new(format: Format, output: W) -> io::Result<Self> {
        let output = match format {
            Format::Text => Output::Text(BufWriter::new(output)),
            Format::Json => Output::Json(BufWriter::new(output)),
            Format::Csv => Output::Csv(Box::new(Table::new(output)?)),
        };
        Ok(Self {
            output,
            unreadable: 0,
        })
    }

    /// Prints the record in `line` if `matches` accepts it. An unreadable record is counted
    /// instead.
    ///
    /// # Errors
    ///
    /// Fails if the output cannot be written.
    pub fn print(
        &mut self,
        line: &[u8],
        matches: impl FnOnce(&Record<'_>) -> bool,
    ) -> io::Result<()> {
        let text = str::from_utf8(line).unwrap_or_default();
        let Ok(record) = serde_json::from_str::<Record<'_>>(text) else {
            self.unreadable += 1;
            return Ok(());
        };
        if !matches(&record) {
            return Ok(());
        }
        match &mut self.output {
            Output::Text(output) => output.write_all(&text::line(&record)),
            Output::Csv(table) => table.write(&record),
            Output::Json(output) => {
                output.write_all(line)?;
                output.write_all(b"\n")
            }
        }
    }

    /// Writes buffered output.
    ///
    /// # Errors
    ///
    /// Fails if the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.output {
            Output::Text(output) | Output::Json(output) => output.flush(),
            Output::Csv(table) => table.flush(),
        }
    }

    /// The number of unreadable records.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

/// `value` as JSON in which deceptive characters are escaped.
fn json(value: &impl serde::Serialize) -> String {
    let mut buffer = Vec::new();
    json::write(&mut buffer, value);
    String::from_utf8(buffer).expect("JSON is UTF-8")
}
