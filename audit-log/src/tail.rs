//! Printing the last records, and new ones as they are added.

use std::io::Write;

use crate::print::{PrintError, Printer};
use crate::read::Reader;

/// Prints the records of `reader`. At the end of the log it calls `wait`, and continues with
/// the records added since if that returns true.
///
/// # Errors
///
/// Fails if the log cannot be read or the output cannot be written.
pub fn tail(
    reader: &mut Reader,
    printer: &mut Printer<impl Write>,
    wait: &mut dyn FnMut() -> bool,
) -> Result<(), PrintError> {
    loop {
        while let Some(line) = reader.next()? {
            printer.print(line.bytes, |_| true)?;
        }
        printer.flush()?;
        if !wait() {
            return Ok(());
        }
    }
}
