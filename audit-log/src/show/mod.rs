//! Records as people and programs want them.
//!
//! - this file: [`Format`] and [`Printer`].
//! - `text.rs`: a line to be read.
//! - `table.rs`: a line of CSV.

mod table;
mod text;

use std::io::{self, BufWriter, Write};

use crate::read::ReadError;
use crate::record::Record;
use sanitize::json;
use table::Table;

/// What records look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A line to be read.
    #[default]
    Text,
    /// The canonical bytes and a line feed.
    Json,
    /// CSV with a header.
    Csv,
}

/// Prints records.
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

/// Why records cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nobody takes what is shown.
    #[error("cannot write what was found")]
    Write(#[from] io::Error),
}

impl<W: Write> Printer<W> {
    /// Prints to `output`.
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

    /// Prints the record in `line` if it is `wanted`. One that cannot be read is
    /// counted instead.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn print(
        &mut self,
        line: &[u8],
        wanted: impl FnOnce(&Record<'_>) -> bool,
    ) -> io::Result<()> {
        let text = str::from_utf8(line).unwrap_or_default();
        let Ok(record) = serde_json::from_str::<Record<'_>>(text) else {
            self.unreadable += 1;
            return Ok(());
        };
        if !wanted(&record) {
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

    /// Hands on everything that was printed.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.output {
            Output::Text(output) | Output::Json(output) => output.flush(),
            Output::Csv(table) => table.flush(),
        }
    }

    /// How many records could not be read.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

/// The text of `value` as JSON, where nothing deceives.
fn json(value: &impl serde::Serialize) -> String {
    let mut buffer = Vec::new();
    json::write(&mut buffer, value);
    String::from_utf8(buffer).expect("JSON is text")
}
