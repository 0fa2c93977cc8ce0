//! The store: versions of functions on disk, and the record of the active one.
//!
//! ```text
//! FOLDER/lock                       held by the server that uses the folder
//! FOLDER/functions/NAME/SHA256.wasm a version: the function's own component
//! FOLDER/functions/NAME/record.json the versions, and the active one
//! ```
//!
//! Every file is written under a temporary name, synced and renamed: after a crash, a record is
//! either the old or the new one. Files that another user can write are rejected.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::digest;
use permissions::{check_parents, check_private, open_lock};
use tokio::task::JoinError;

use super::config::check_name;
use super::record::Record;

/// The name of a record within the folder of its function.
const RECORD: &str = "record.json";

/// The versions of functions on disk.
#[derive(Debug)]
pub struct Store {
    functions: PathBuf,
    retention: Retention,
    /// Locked for the lifetime of the store.
    lock: File,
}

/// Retention of versions.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Number of versions of each function.
    pub versions: NonZeroU32,
    /// Retention time after a removal.
    pub removed: Duration,
}

/// Errors of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("cannot {what} `{}`: {source}", path.display())]
    Io {
        /// The operation.
        what: &'static str,
        /// Its file or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another server holds the lock.
    #[error("the state `{}` is in use by another server; name another folder", .0.display())]
    InUse(PathBuf),
    /// Other users can write the file or folder.
    #[error("the state `{}` is not safe: {source}", path.display())]
    Unsafe {
        /// The file or the folder.
        path: PathBuf,
        /// The owner or mode that is wrong.
        source: io::Error,
    },
    /// A record or a version is damaged.
    #[error("`{}` is damaged ({why}); remove its folder to start over", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// Access to the folder panicked, or the server ends.
    #[error("access to the state failed: {0}")]
    Panicked(#[from] JoinError),
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

impl Drop for Store {
    /// Releases the lock explicitly: a child that another thread is starting may still have the
    /// file open.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Store {
    /// Opens the store in `folder`, and creates the folder if it is missing.
    ///
    /// # Errors
    ///
    /// Fails if the folder is not writable, other users can write it, or another server holds it.
    pub fn open(folder: &Path, retention: Retention) -> Result<Self, StoreError> {
        let functions = folder.join("functions");
        make(&functions)?;
        check_parents(folder).map_err(is_unsafe(folder))?;
        for checked in [folder, &functions] {
            check_private(checked).map_err(is_unsafe(checked))?;
        }
        let path = folder.join("lock");
        let lock = open_lock(&path).map_err(failed("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StoreError::InUse(folder.to_owned()));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let store = Self {
            functions,
            retention,
            lock,
        };
        check_all(&store.functions)?;
        for name in store.names()? {
            store.delete_strays(&name)?;
        }
        Ok(store)
    }

    /// Deletes temporary files of a crashed server, and versions that no record has.
    fn delete_strays(&self, name: &str) -> Result<(), StoreError> {
        // The repair of a damaged record may need them.
        let Ok(record) = self.record(name) else {
            return Ok(());
        };
        let folder = self.functions.join(name);
        let unreadable = || failed("read", &folder);
        for entry in fs::read_dir(&folder).map_err(unreadable())? {
            let path = entry.map_err(unreadable())?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_version = record.versions.iter().any(|known| *known.sha256 == *stem);
            let is_stray = match path.extension().and_then(OsStr::to_str) {
                Some("part") => true,
                Some("wasm") => !is_version,
                _ => false,
            };
            if is_stray {
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    /// The names of the functions that have a record.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let unreadable = || failed("read", &self.functions);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.functions).map_err(unreadable())? {
            let name = entry.map_err(unreadable())?.file_name();
            if let Ok(name) = name.into_string()
                && check_name(&name).is_ok()
                && self.functions.join(&name).join(RECORD).exists()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The record of a function; an empty one if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the record exists and cannot be read.
    pub fn record(&self, name: &str) -> Result<Record, StoreError> {
        let path = self.functions.join(name).join(RECORD);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Record::default()),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        serde_json::from_slice(&text).map_err(|error| StoreError::Damaged {
            path,
            why: error.to_string(),
        })
    }

    /// The bytes of a version.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read, or do not match the SHA-256.
    pub fn bytes(&self, name: &str, sha256: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.version(name, sha256);
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        let found = digest(&bytes);
        if found == sha256 {
            return Ok(bytes);
        }
        let why = format!("its SHA-256 is {found}");
        Err(StoreError::Damaged { path, why })
    }

    /// Writes a version, which no record has yet.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn add(&self, name: &str, sha256: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.version(name, sha256);
        if self.bytes(name, sha256).is_ok() {
            return Ok(());
        }
        make(&self.functions.join(name))?;
        write(&path, bytes)
    }

    /// Writes the record of a function, and deletes versions beyond the retention.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written. The previous record stays valid.
    pub fn set(&self, name: &str, mut record: Record) -> Result<(), StoreError> {
        let pruned = record.prune(self.retention.versions.get() as usize);
        let path = self.functions.join(name).join(RECORD);
        let text = serde_json::to_vec_pretty(&record);
        let text = text.map_err(|error| failed("write", &path)(error.into()))?;
        write(&path, &text)?;
        for version in pruned {
            // A file that stays is deleted at the next start.
            let _ = fs::remove_file(self.version(name, &version.sha256));
        }
        Ok(())
    }

    /// Marks a function as removed. Its versions are kept for the retention time.
    ///
    /// # Errors
    ///
    /// Fails if its record cannot be written.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.record(name) {
            Ok(record) if record == Record::default() => Ok(()),
            Ok(mut record) if !self.retention.removed.is_zero() => {
                record.remove();
                self.set(name, record)
            }
            Ok(_) | Err(StoreError::Damaged { .. }) => self.delete(name),
            Err(error) => Err(error),
        }
    }

    /// Deletes a removed function with this record, if its retention time is over.
    ///
    /// # Errors
    ///
    /// Fails if its record cannot be deleted.
    pub(super) fn delete_expired(&self, name: &str, record: &Record) -> Result<(), StoreError> {
        if record.is_expired(self.retention.removed) {
            tracing::info!(function = name, "versions of a removed function deleted");
            self.delete(name)?;
        }
        Ok(())
    }

    /// Deletes the record and all versions of a function.
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        let folder = self.functions.join(name);
        let path = folder.join(RECORD);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
        // Without a record, the other files have no effect.
        let _ = fs::remove_dir_all(folder);
        Ok(())
    }

    fn version(&self, name: &str, sha256: &str) -> PathBuf {
        self.functions.join(name).join(format!("{sha256}.wasm"))
    }
}

/// Checks that no other user can write to this folder and its content, recursively.
fn check_all(folder: &Path) -> Result<(), StoreError> {
    let unreadable = || failed("read", folder);
    for entry in fs::read_dir(folder).map_err(unreadable())? {
        let entry = entry.map_err(unreadable())?;
        let path = entry.path();
        check_private(&path).map_err(is_unsafe(&path))?;
        if entry.file_type().map_err(unreadable())?.is_dir() {
            check_all(&path)?;
        }
    }
    Ok(())
}

fn is_unsafe(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Unsafe { path, source }
}

fn make(folder: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(failed("make", folder))
}

/// Writes a file atomically, also with respect to a power failure.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let part = path.with_extension("part");
    let write = || {
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = File::options();
        // A link at this path is not followed.
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    write().map_err(failed("write", path))
}
