//! The versions of functions on the disk, and which of them is active.
//!
//! ```text
//! FOLDER/lock                       held by the server that uses the folder
//! FOLDER/functions/NAME/SHA256.wasm a version: what runs, composed if need be
//! FOLDER/functions/NAME/record.json which versions there are, and which one is active
//! ```
//!
//! Every file is written under another name and renamed when it is on the disk. So a record
//! is always one of before or one of after, whenever the server ends.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::declaration::check_name;
use super::record::Record;
use crate::guest::digest;

/// The name of a record within the folder of its function.
const RECORD: &str = "record.json";

/// The versions of functions on the disk.
#[derive(Debug)]
pub struct Store {
    functions: PathBuf,
    keep: usize,
    /// Locked as long as this lives.
    _lock: File,
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

impl Store {
    /// Opens the state in `folder`, which is made if it is not there, and keeps so many
    /// versions of each function.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written to, or another server has it.
    pub fn open(folder: &Path, keep: NonZeroU32) -> Result<Self, StoreError> {
        let functions = folder.join("functions");
        make(&functions)?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(failed("write", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StoreError::InUse(folder.to_owned()));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        Ok(Self {
            functions,
            keep: keep.get() as usize,
            _lock: lock,
        })
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
        let pruned = record.prune(self.keep);
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

    /// Forgets a function.
    ///
    /// # Errors
    ///
    /// Fails if its record cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
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

fn make(folder: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(failed("make", folder))
}

/// Writes a file that is there as a whole or not at all, also after the power has failed.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    write().map_err(failed("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: NonZeroU32 = NonZeroU32::new(2).unwrap();

    #[test]
    fn what_was_written_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (digest(b"a"), digest(b"b"));
        let mut record = Record::default();
        {
            let store = Store::open(folder.path(), KEEP).unwrap();
            assert_eq!(store.record("f").unwrap(), record);
            for (sha256, bytes) in [(&a, b"a"), (&b, b"b")] {
                store.add("f", sha256, bytes).unwrap();
                record.activate(sha256);
                store.set("f", record.clone()).unwrap();
            }
        }
        let store = Store::open(folder.path(), KEEP).unwrap();
        assert_eq!(store.names().unwrap(), ["f"]);
        let found = store.record("f").unwrap();
        assert_eq!(found, record);
        assert_eq!(found.active, Some(b));
        assert_eq!(found.previous(), Some(a.as_str()));
        assert_eq!(store.bytes("f", &a).unwrap(), b"a");
        store.remove("f").unwrap();
        assert!(store.names().unwrap().is_empty());
    }

    #[test]
    fn the_oldest_versions_go_but_never_the_active_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), KEEP).unwrap();
        let digests = [b"a", b"b", b"c"].map(|bytes| {
            let sha256 = digest(bytes);
            store.add("f", &sha256, bytes).unwrap();
            sha256
        });
        let mut record = Record::default();
        for sha256 in &digests {
            record.activate(sha256);
        }
        record.activate(&digests[0]);
        store.set("f", record).unwrap();
        let versions = store.record("f").unwrap().versions;
        let kept: Vec<_> = versions.iter().map(|version| &version.sha256).collect();
        assert_eq!(kept, [&digests[0], &digests[2]]);
        assert!(store.bytes("f", &digests[1]).is_err());
    }

    #[test]
    fn a_folder_has_one_server() {
        let folder = tempfile::tempdir().unwrap();
        let _store = Store::open(folder.path(), KEEP).unwrap();
        let error = Store::open(folder.path(), KEEP).unwrap_err();
        assert!(matches!(error, StoreError::InUse(_)), "{error}");
    }

    #[test]
    fn a_version_that_was_changed_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), KEEP).unwrap();
        let sha256 = digest(b"a");
        store.add("f", &sha256, b"a").unwrap();
        fs::write(store.version("f", &sha256), b"b").unwrap();
        let error = store.bytes("f", &sha256).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}
