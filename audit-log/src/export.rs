//! Export of a log to a new file, which is itself a log.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::folder::{folder_of, sync_folder_of};
use crate::read::{ReadError, Reader};

/// An error of an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is not one line.
    #[error(
        "record number {} contains a line feed: the log is damaged; run `audit verify`",
        after + 1
    )]
    LineFeed {
        /// The number of preceding records.
        after: u64,
    },
    /// The output cannot be written.
    #[error("cannot write the export")]
    Write(#[source] io::Error),
    /// The file exists.
    #[error("`{}` exists already; name a new file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be created.
    #[error("cannot write the export to `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Writes the tombstones and all records, one a line, unchanged. Returns the number of
/// records. `reader` must be at its first record.
///
/// The export is a snapshot, also of a log that is written or pruned at the same time.
///
/// # Errors
///
/// Fails if the log cannot be read or the output cannot be written.
pub fn export(reader: &mut Reader, output: &mut dyn Write) -> Result<u64, ExportError> {
    reader.snapshot()?;
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

/// Exports to a new file at `path` with mode 0600. The file gets its name only when it is
/// complete and synced.
///
/// # Errors
///
/// Fails like [`export`], and if the file exists.
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
    let mut file = tempfile::Builder::new()
        .prefix(".audit-export-")
        .tempfile_in(folder_of(path))
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
