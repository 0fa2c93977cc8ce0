//! Small text files of flags.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Maximum size of such a file. It is read as a whole, and a wrong path, such as a device, must
/// not exhaust memory.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the text in a file of at most 1 MiB.
///
/// # Errors
///
/// Fails if the file cannot be read, is larger, or is not UTF-8.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if read as u64 > MAX_FILE_BYTES {
        let why = "the file is larger than 1 MiB";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is not valid UTF-8"))
}
