//! The lock that all writers of a database share.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::path::Path;

use super::OpenError;
use crate::file_lock::LockedFile;
use crate::key::sync_folder_of;
use crate::regular_file;

/// Excludes other writers of a database, by whichever path they open it.
#[derive(Debug)]
pub(super) struct WriterLock {
    /// The database itself.
    file: Option<File>,
    /// The file that writers of earlier versions lock.
    _name: LockedFile,
}

impl WriterLock {
    /// Locks the database at `path`, which is made if it is not there, for the user
    /// alone. SQLite must not have opened it yet.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let io_error = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let not_a_log = |why: String| OpenError::NotALog {
            path: path.to_owned(),
            why,
        };
        // A pipe would be waited for. A folder is an error of its own.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(not_a_log("it is not a regular file".to_owned()));
        }
        let name = open(&path.with_added_extension("lock")).map_err(io_error)?;
        let name = LockedFile::try_new(name).map_err(lock_failed(path))?;
        // Before SQLite makes it, because SQLite would let others read it.
        let mut lock = Self {
            file: None,
            _name: name,
        };
        let file = lock.file.insert(open(path).map_err(io_error)?);
        let metadata = file.metadata().map_err(io_error)?;
        // SQLite takes a file that is too short for its header for an empty one.
        if (1..100).contains(&metadata.len()) {
            return Err(not_a_log("it is not an SQLite database".to_owned()));
        }
        file.try_lock().map_err(lock_failed(path))?;
        // SQLite finds the newest records of a database by its name.
        let names = links(&metadata);
        if names > 1 {
            return Err(not_a_log(format!(
                "it has {names} names (hard links), and a write-ahead log belongs to one of them; \
                 remove the others"
            )));
        }
        sync_folder_of(path).map_err(io_error)?;
        Ok(lock)
    }

    /// What the system knows of the database.
    pub(super) fn metadata(&self) -> std::io::Result<Metadata> {
        match &self.file {
            Some(file) => file.metadata(),
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for WriterLock {
    /// Gives the lock back, and leaves the file open: closing it would take away the
    /// locks of SQLite in this process, which belong to the file and not to what opened
    /// it ("POSIX advisory locks", <https://sqlite.org/howtocorrupt.html>).
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

/// Why the log at `path` could not be locked.
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
