//! Small files of text that flags name.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How large such a file may be. It is read whole, and a mistake in its name, such as a
/// device, must not fill the memory.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the text in a file of at most 1 MiB.
///
/// # Errors
///
/// Fails if it cannot be read, is larger, or is no text.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if read as u64 > MAX_FILE_BYTES {
        let why = "it is larger than 1 MiB";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))
}
