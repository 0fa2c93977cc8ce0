//! Code cache: compiled components in a folder, for the next start.
//!
//! ```text
//! FOLDER/KEY.json       metadata of the code of the inputs with this key, with its SHA-256
//! FOLDER/SHA256.cwasm   the code
//! FOLDER/part-…         code that is being written
//! ```
//!
//! A file is written under a unique name, and renamed when it is complete. Several servers may
//! share a folder: equal names have equal content. The SHA-256 is verified before code is mapped,
//! so that corrupted files are not used.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::artefact::{Artefact, digest_of, unique_file};
use super::folder::create_private_folder;
use super::protocol::Compiled;

/// Size limit of a cache, in bytes.
const MAX_CACHE_BYTES: u64 = 2 << 30;

/// A code cache in a folder.
#[derive(Debug, Clone)]
pub struct CodeCache {
    folder: PathBuf,
}

/// The metadata of a key.
#[derive(Serialize, Deserialize)]
struct Entry {
    compiled: Compiled,
    sha256: String,
}

/// A file that is being written. Dropping it removes the file, unless it was renamed.
pub(super) struct PartialFile {
    pub(super) file: File,
    path: PathBuf,
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // Fails if the file was renamed.
        let _ = fs::remove_file(&self.path);
    }
}

impl CodeCache {
    /// Opens the cache in `folder`, or creates it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be created, or if other users could write there: cached code is executed
    /// without validation.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let folder = create_private_folder(folder)?;
        Ok(Self { folder })
    }

    /// The artefact of `key`, if it is cached and not corrupted.
    pub(super) fn get(&self, key: &str) -> Option<Artefact> {
        match self.read(key) {
            Ok(artefact) => Some(artefact),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                let folder = self.folder.display();
                tracing::warn!(
                    "cached code in `{folder}` is corrupted and compiled again: {error}"
                );
                None
            }
        }
    }

    fn read(&self, key: &str) -> io::Result<Artefact> {
        let note = self.note(key);
        let Entry { compiled, sha256 } = serde_json::from_slice(&fs::read(&note)?)?;
        let file = File::open(self.code(&sha256))?;
        let found = digest_of(&file)?;
        if found != sha256 {
            let why = format!("SHA-256 mismatch: expected {sha256}, found {found}");
            return Err(io::Error::new(ErrorKind::InvalidData, why));
        }
        // Marks the files as recently used. Without that mark they are evicted earlier.
        let now = SystemTime::now();
        let _ = file.set_modified(now);
        let _ = File::open(&note).and_then(|note| note.set_modified(now));
        Ok(Artefact::new(compiled, file))
    }

    /// A file for code that is to be cached.
    pub(super) fn create(&self) -> io::Result<PartialFile> {
        let (file, path) = unique_file(&self.folder)?;
        Ok(PartialFile { file, path })
    }

    /// Caches complete code under `key`.
    pub(super) fn insert(
        &self,
        key: &str,
        compiled: &Compiled,
        code: &PartialFile,
    ) -> io::Result<()> {
        let sha256 = digest_of(&code.file)?;
        fs::rename(&code.path, self.code(&sha256))?;
        let compiled = compiled.clone();
        let mut note = self.create()?;
        note.file
            .write_all(&serde_json::to_vec(&Entry { compiled, sha256 })?)?;
        fs::rename(&note.path, self.note(key))?;
        prune(&self.folder, MAX_CACHE_BYTES)
    }

    fn note(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    fn code(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.cwasm"))
    }
}

/// Removes the least recently used files, until at most `max_bytes` are left. Mapped code stays
/// usable.
fn prune(folder: &Path, max_bytes: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Another process may have removed the file.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    files.sort();
    for (_, length, path) in files {
        if bytes <= max_bytes {
            break;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => bytes -= length,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;
    use crate::engine_kind::EngineKind;
    use crate::requirements::InstanceRequirements;
    use crate::wasi_version::WasiVersion;

    fn compiled() -> Compiled {
        Compiled {
            sha256: "a".to_owned(),
            adapter: None,
            wasi: WasiVersion::V02,
            engine: EngineKind::default(),
            needs: InstanceRequirements {
                memories: 1,
                parts: 1,
                tables: 2,
                memory_bytes: 3,
                table_elements: 4,
            },
            code_bytes: 5,
        }
    }

    fn insert(cache: &CodeCache, key: &str, code: &str) {
        let mut partial = cache.create().unwrap();
        partial.file.write_all(code.as_bytes()).unwrap();
        cache.insert(key, &compiled(), &partial).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn cached_code_is_found_by_its_key_and_partial_files_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path()).unwrap();
        assert!(cache.get("key").is_none());
        drop(cache.create().unwrap());
        insert(&cache, "key", "code");
        // Another server inserts the same.
        insert(&cache, "key", "code");
        let found = cache.get("key").unwrap();
        assert_eq!(*found.compiled(), compiled());
        let mut names = names(folder.path());
        names.sort();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(names[1], "key.json");
        let mut code = String::new();
        let file = folder.path().join(&names[0]);
        File::open(file).unwrap().read_to_string(&mut code).unwrap();
        assert_eq!(code, "code");
    }

    #[test]
    fn truncated_empty_changed_or_missing_code_is_not_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path()).unwrap();
        for damage in ["", "cod", "edoc", "code and more"] {
            insert(&cache, "key", "code");
            assert!(cache.get("key").is_some());
            let names = names(folder.path());
            let is_code = |name: &&String| Path::new(name).extension() == Some("cwasm".as_ref());
            let code = names.iter().find(is_code).unwrap();
            fs::write(folder.path().join(code), damage).unwrap();
            assert!(cache.get("key").is_none(), "{damage}");
        }
        insert(&cache, "key", "code");
        fs::write(cache.note("key"), "").unwrap();
        assert!(cache.get("key").is_none());
    }

    #[test]
    fn the_least_recently_used_files_are_removed_first() {
        let folder = tempfile::tempdir().unwrap();
        for (name, seconds) in [("new", 30), ("old", 10), ("middle", 20)] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
        }
        prune(folder.path(), 200).unwrap();
        let exists = |name: &str| folder.path().join(name).exists();
        assert!(exists("new") && exists("middle") && !exists("old"));
        prune(folder.path(), 200).unwrap();
        assert!(exists("new") && exists("middle"));
    }
}
