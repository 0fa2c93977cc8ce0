//! Whether a path still leads to the file that is written.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::StoreError;

/// A file that must stay where it is while a log is written: it can be removed,
/// renamed, replaced or cut off by other programs, and a record that is written to it
/// afterwards is lost.
#[derive(Debug)]
pub(super) struct Identity {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
    /// The least size that it must have.
    size: u64,
}

impl Identity {
    /// The file that is at `path` now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::new(path, &fs::metadata(path)?))
    }

    /// The file with `metadata`, which `path` should lead to.
    pub(super) fn new(path: &Path, metadata: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            file: file(metadata),
            size: metadata.len(),
        }
    }

    /// Checks that the path leads to the same file, which did not become shorter.
    /// Remembers how long it is now, and returns that.
    pub(super) fn check(&mut self) -> Result<u64, StoreError> {
        let path = self.path.display();
        let metadata = fs::metadata(&self.path)
            .map_err(|error| StoreError::Other(format!("`{path}` was removed: {error}")))?;
        if file(&metadata) != self.file {
            let why = format!("`{path}` was replaced by another file");
            return Err(StoreError::Other(why));
        }
        let size = metadata.len();
        if size < self.size {
            let before = self.size;
            let why = format!("`{path}` was cut off: it has {size} bytes, and had {before}");
            return Err(StoreError::Other(why));
        }
        self.size = size;
        Ok(size)
    }

    /// Takes the size that the file has now for right.
    pub(super) fn resize(&mut self, size: u64) {
        self.size = size;
    }
}

#[cfg(unix)]
fn file(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

/// An open file cannot be replaced there.
#[cfg(not(unix))]
fn file(_: &Metadata) -> (u64, u64) {
    (0, 0)
}
