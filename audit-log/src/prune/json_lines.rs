//! Pruning a file that no server has open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Cut, PruneError, tombstone};
use crate::file_lock::LockedFile;
use crate::folder::{folder_of, sync_folder_of};
use crate::key::SigningKey;
use crate::regular_file;

/// Acquires the writer lock of the file.
pub(super) fn lock(path: &Path) -> Result<LockedFile, PruneError> {
    let fail = |source| PruneError::Io {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    let file = regular_file::open(path, options.read(true).append(true)).map_err(fail)?;
    LockedFile::try_new(file).map_err(|error| match error {
        TryLockError::Error(source) => fail(source),
        TryLockError::WouldBlock => PruneError::InUse {
            path: path.to_owned(),
        },
    })
}

/// Replaces `old`, the file at `path`, with a file without the records of `cut`. A crash
/// leaves one or the other.
pub(super) fn remove(
    path: &Path,
    old: &File,
    cut: &Cut,
    key: &SigningKey,
) -> Result<(), PruneError> {
    rewrite(path, old, cut, &tombstone(cut, cut.last(), key)).map_err(|source| PruneError::Io {
        path: path.to_owned(),
        source,
    })
}

fn rewrite(path: &Path, mut old: &File, cut: &Cut, tombstone: &str) -> io::Result<()> {
    let mut new = tempfile::Builder::new()
        .prefix(".audit-prune-")
        .tempfile_in(folder_of(path))?;
    let metadata = old.metadata()?;
    // The user who prunes may be another one than that of the server.
    new.as_file().set_permissions(metadata.permissions())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};

        let now = new.as_file().metadata()?;
        if (metadata.uid(), metadata.gid()) != (now.uid(), now.gid()) {
            fchown(new.as_file(), Some(metadata.uid()), Some(metadata.gid()))?;
        }
    }
    let mut output = BufWriter::with_capacity(256 * 1024, new.as_file_mut());
    for line in cut.tombstones.iter().map(Vec::as_slice) {
        output.write_all(line)?;
        output.write_all(b"\n")?;
    }
    output.write_all(tombstone.as_bytes())?;
    output.write_all(b"\n")?;
    old.seek(SeekFrom::Start(cut.position))?;
    io::copy(&mut old, &mut output)?;
    output.flush()?;
    drop(output);
    new.as_file().sync_all()?;
    new.persist(path)?;
    sync_folder_of(path)
}
