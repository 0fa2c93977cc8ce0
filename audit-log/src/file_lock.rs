//! The lock that excludes other writers of a file.

use std::fs::{File, TryLockError};
use std::ops::{Deref, DerefMut};

/// A file that this process has locked.
///
/// The lock is released when this is dropped, and not only when the file is closed: a process that
/// another thread starts at the same moment has the file open until it executes its program, and
/// would keep the lock for as long.
#[derive(Debug)]
pub(crate) struct LockedFile(File);

impl LockedFile {
    /// Locks `file` for this process alone. Never waits.
    pub(crate) fn try_new(file: File) -> Result<Self, TryLockError> {
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for LockedFile {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
