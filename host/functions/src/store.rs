//! The versions of functions on the disk, and which of them is active.
//!
//! ```text
//! FOLDER/lock                       held by the server that uses the folder
//! FOLDER/functions/NAME/SHA256.wasm a version: the function's own component
//! FOLDER/functions/NAME/record.json which versions there are, and which one is active
//! ```
//!
//! Every file is written under another name and renamed when it is on the disk. So a record
//! is always one of before or one of after, whenever the server ends. Whatever in the folder
//! another user may have put there is refused.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::check_name;
use super::record::Record;
use engine::digest;
use permissions::{check_parents, check_private, open_lock};

/// The name of a record within the folder of its function.
const RECORD: &str = "record.json";

/// The versions of functions on the disk.
#[derive(Debug)]
pub struct Store {
    functions: PathBuf,
    retention: Retention,
    /// Locked as long as this lives.
    lock: File,
}

/// What is kept of functions.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// How many versions of each.
    pub versions: NonZeroU32,
    /// For how long after it was removed.
    pub removed: Duration,
}

/// Why the disk does not have what it should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refuses it.
    #[error("cannot {what} `{}`: {source}", path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another server has it.
    #[error("the state `{}` is in use by another server; name another folder", .0.display())]
    InUse(PathBuf),
    /// Other users may have put there what is there.
    #[error("the state `{}` is not safe: {source}", path.display())]
    Unsafe {
        /// The file or the folder.
        path: PathBuf,
        /// Who can change it.
        source: io::Error,
    },
    /// The record is not one.
    #[error("`{}` is damaged ({why}); remove its folder to begin anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that was found.
        why: String,
    },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

impl Drop for Store {
    /// Releases the lock also where a process that another thread starts at this moment still has
    /// the file open.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Store {
    /// Opens the state in `folder`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written to, other users can change it, or another server has it.
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

    /// Deletes what was being written when a server ended, and what no record names.
    fn delete_strays(&self, name: &str) -> Result<(), StoreError> {
        // Who repairs a damaged record may need them.
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

    /// What is known of a function, which is nothing if there is no record.
    ///
    /// # Errors
    ///
    /// Fails if there is one, and it cannot be read.
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
    /// Fails if they cannot be read, or are others than they were.
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

    /// Writes a version, which no record names yet.
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

    /// Writes the record of a function, and removes versions that are too many.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written. The one before holds then.
    pub fn set(&self, name: &str, mut record: Record) -> Result<(), StoreError> {
        let pruned = record.prune(self.retention.versions.get() as usize);
        let path = self.functions.join(name).join(RECORD);
        let text = serde_json::to_vec_pretty(&record);
        let text = text.map_err(|error| failed("write", &path)(error.into()))?;
        write(&path, &text)?;
        for version in pruned {
            // One that stays is removed with the next, or does no harm.
            let _ = fs::remove_file(self.version(name, &version.sha256));
        }
        Ok(())
    }

    /// Notes that a function is not wanted any more. Its versions are kept for a while.
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

    /// Deletes a function that was removed long enough ago, of which this is the record.
    ///
    /// # Errors
    ///
    /// Fails if its record cannot be deleted.
    pub fn delete_expired(&self, name: &str, record: &Record) -> Result<(), StoreError> {
        if record.is_expired(self.retention.removed) {
            tracing::info!(function = name, "versions of a removed function deleted");
            self.delete(name)?;
        }
        Ok(())
    }

    /// Deletes all that is kept of a function.
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        let folder = self.functions.join(name);
        let path = folder.join(RECORD);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
        // Without a record, the rest means nothing.
        let _ = fs::remove_dir_all(folder);
        Ok(())
    }

    fn version(&self, name: &str, sha256: &str) -> PathBuf {
        self.functions.join(name).join(format!("{sha256}.wasm"))
    }
}

/// Checks that no other user can change what is in this folder, also in those below.
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

/// Writes a file that is there as a whole or not at all, also after the power has failed.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let part = path.with_extension("part");
    let write = || {
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = File::options();
        // Nothing is written through a link.
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
