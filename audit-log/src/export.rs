//! A copy of a log that is a log itself.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::key::sync_folder_of;
use crate::read::{ReadError, Reader};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is no line.
    #[error(
        "the record after {after} others has a line feed in it: the log is damaged, and `audit \
         verify` says more"
    )]
    LineFeed {
        /// How many records came before it.
        after: u64,
    },
    /// Nobody takes the copy.
    #[error("cannot write the copy")]
    Write(#[source] io::Error),
    /// The file is there already.
    #[error("`{}` is there already; name a new file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("cannot write the copy to `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Writes the tombstones and all records, one a line, as they are. Returns how
/// many records there were. `reader` must be at its first record.
///
/// The copy is of one moment, also of a log that is written or pruned meanwhile.
///
/// # Errors
///
/// Fails if the log cannot be read, or nobody takes the copy.
pub fn export(reader: &mut Reader, output: &mut dyn Write) -> Result<u64, ExportError> {
    reader.hold()?;
    let mut output = BufWriter::with_capacity(256 * 1024, output);
    let mut records = 0;
    let mut write = |line: &[u8], records: u64| {
        if line.contains(&b'\n') {
            return Err(ExportError::LineFeed { after: records });
        }
        let written = output
            .write_all(line)
            .and_then(|()| output.write_all(b"\n"));
        written.map_err(ExportError::Write)
    };
    for tombstone in reader.tombstones()? {
        write(&tombstone, 0)?;
    }
    while let Some(line) = reader.next()? {
        write(line.bytes, records)?;
        records += 1;
    }
    output.flush().map_err(ExportError::Write)?;
    Ok(records)
}

/// Does the same with a new file at `path`, which the user alone can read. It has
/// its name only when it is whole and on the disk.
///
/// # Errors
///
/// Fails like [`export`], and if the file is there already.
pub fn export_to(reader: &mut Reader, path: &Path) -> Result<u64, ExportError> {
    let fail = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists {
            path: path.to_owned(),
        },
        _ => ExportError::File {
            path: path.to_owned(),
            source,
        },
    };
    if path.symlink_metadata().is_ok() {
        return Err(fail(io::ErrorKind::AlreadyExists.into()));
    }
    let folder = path.parent().filter(|one| !one.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".audit-export-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(fail)?;
    let records = export(reader, &mut file).map_err(|error| match error {
        ExportError::Write(source) => fail(source),
        error => error,
    })?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist_noclobber(path)
        .map_err(|error| fail(error.error))?;
    sync_folder_of(path).map_err(fail)?;
    Ok(records)
}
