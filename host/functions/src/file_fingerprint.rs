//! Fingerprints of files, for the detection of changes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Identity, size and change time of a file: it differs after a replacement and after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileFingerprint {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Change time (ctime) in seconds and nanoseconds. Unlike the modification time, programs
    /// cannot set it back.
    changed: (i64, i64),
}

impl FileFingerprint {
    /// Whether both are of one file, with or without a write in between.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// The size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The fingerprint of the target of `path`, if it exists.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}
