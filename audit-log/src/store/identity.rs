//! The identity of a file that is being written, to detect that it was replaced or truncated.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::StoreError;

/// A file that must stay in place while a log is written: if another program removes, renames,
/// replaces or truncates it, a record written afterwards is lost.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    device_and_inode: (u64, u64),
    /// The minimum size in bytes.
    size: u64,
}

impl FileIdentity {
    /// The file currently at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::new(path, &fs::metadata(path)?))
    }

    /// The file with `metadata`, to which `path` should lead.
    pub(super) fn new(path: &Path, metadata: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            device_and_inode: device_and_inode(metadata),
            size: metadata.len(),
        }
    }

    /// Checks that the path leads to the same file, and that it did not shrink. Stores and
    /// returns its current size.
    pub(super) fn check(&mut self) -> Result<u64, StoreError> {
        let path = self.path.display();
        let metadata = fs::metadata(&self.path)
            .map_err(|error| StoreError::Other(format!("`{path}` was removed: {error}")))?;
        if device_and_inode(&metadata) != self.device_and_inode {
            let reason = format!("`{path}` was replaced by another file");
            return Err(StoreError::Other(reason));
        }
        let size = metadata.len();
        if size < self.size {
            let before = self.size;
            let reason = format!("`{path}` was truncated from {before} to {size} bytes");
            return Err(StoreError::Other(reason));
        }
        self.size = size;
        Ok(size)
    }

    /// Sets the minimum size.
    pub(super) fn resize(&mut self, size: u64) {
        self.size = size;
    }
}

#[cfg(unix)]
fn device_and_inode(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

/// An open file cannot be replaced on these systems.
#[cfg(not(unix))]
fn device_and_inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}
