//! The writer lock of a database.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::path::Path;

use super::OpenError;
use crate::file_lock::LockedFile;
use crate::folder::sync_folder_of;
use crate::regular_file;

/// An exclusive lock on a database, regardless of the path by which it is opened.
#[derive(Debug)]
pub(super) struct WriterLock {
    /// The database itself.
    file: Option<File>,
    /// The lock file of earlier versions.
    _lock_file: LockedFile,
}

impl WriterLock {
    /// Locks the database at `path`, or creates it with mode 0600. SQLite must not have opened
    /// it yet.
    pub(super) fn acquire(path: &Path) -> Result<Self, OpenError> {
        let io_error = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let not_a_log = |reason: String| OpenError::NotALog {
            path: path.to_owned(),
            reason,
        };
        // Opening a pipe would block. A folder is a separate error.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(not_a_log("not a regular file".to_owned()));
        }
        let lock_file = open(&path.with_added_extension("lock")).map_err(io_error)?;
        let lock_file = LockedFile::try_new(lock_file).map_err(lock_failed(path))?;
        // Before SQLite, which would create it with a mode that lets other users read it.
        let mut lock = Self {
            file: None,
            _lock_file: lock_file,
        };
        let file = lock.file.insert(open(path).map_err(io_error)?);
        let metadata = file.metadata().map_err(io_error)?;
        // SQLite treats a file that is shorter than its header as empty.
        if (1..100).contains(&metadata.len()) {
            return Err(not_a_log("not an SQLite database".to_owned()));
        }
        file.try_lock().map_err(lock_failed(path))?;
        // SQLite derives the path of the write-ahead log from the name of the database.
        let links = links(&metadata);
        if links > 1 {
            return Err(not_a_log(format!(
                "it has {links} hard links, and a write-ahead log belongs to one of them; remove the \
                 others"
            )));
        }
        sync_folder_of(path).map_err(io_error)?;
        Ok(lock)
    }

    /// The metadata of the database file.
    pub(super) fn metadata(&self) -> std::io::Result<Metadata> {
        match &self.file {
            Some(file) => file.metadata(),
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for WriterLock {
    /// Releases the lock and leaves the file open: closing it would release the locks of SQLite
    /// in this process, which belong to the file and not to the descriptor ("POSIX advisory
    /// locks", <https://sqlite.org/howtocorrupt.html>).
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let _ = file.unlock();
            #[cfg(unix)]
            let _ = std::os::fd::IntoRawFd::into_raw_fd(file);
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    regular_file::open(path, &mut options)
}

/// The error of locking the log at `path`.
pub(super) fn lock_failed(path: &Path) -> impl FnOnce(TryLockError) -> OpenError {
    let path = path.to_owned();
    |error| match error {
        TryLockError::Error(source) => OpenError::Io { path, source },
        TryLockError::WouldBlock => OpenError::InUse { path },
    }
}

#[cfg(unix)]
fn links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u64 {
    1
}
