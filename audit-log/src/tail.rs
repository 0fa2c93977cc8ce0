//! Following a log.

use std::io::Write;

use crate::read::Reader;
use crate::show::{Printer, ShowError};

/// Prints the records of `reader`, and calls `wait` when there are none. If that
/// says so, goes on with those that were added since.
///
/// # Errors
///
/// Fails if the log cannot be read or nobody takes what is printed.
pub fn tail(
    reader: &mut Reader,
    printer: &mut Printer<impl Write>,
    wait: &mut dyn FnMut() -> bool,
) -> Result<(), ShowError> {
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
