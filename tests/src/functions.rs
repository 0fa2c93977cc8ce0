//! Folders of functions, for servers of several components.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::artifacts;
use crate::guests::assemble;

/// A folder for functions, removed when dropped.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file atomically, so that no reader sees a part of it.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.join(name);
        let parent = path.parent().expect("a folder");
        fs::create_dir_all(parent).expect("a folder that can be written to");
        let file = tempfile::Builder::new()
            .prefix(".part-")
            .tempfile_in(parent);
        let file = file.expect("a file");
        fs::write(file.path(), bytes).expect("a file that can be written to");
        file.persist(path).expect("a file that can be renamed");
    }

    /// Writes a component of this workspace, under its own name.
    pub fn put_component(&self, name: &str) {
        let bytes = fs::read(artifacts::component(name)).expect("a component");
        self.put(&format!("{name}.wasm"), bytes);
    }

    /// Writes `guests/locator.wat` with this version of 7 letters.
    pub fn put_locator(&self, name: &str, version: &str) {
        self.put(name, locator(version));
    }
}

/// Writes a file that only its owner can read, such as a key.
///
/// # Panics
///
/// Panics if it cannot be written.
pub fn write_secret(path: &Path, text: impl AsRef<[u8]>) {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_ref()));
    written.expect("a file that can be written to");
}

/// `guests/locator.wat` with this version.
///
/// # Panics
///
/// Panics if the version has not 7 letters.
#[must_use]
pub fn locator(version: &str) -> Vec<u8> {
    assert_eq!(version.len(), "VERSION".len(), "{version}");
    assemble("locator", |source| {
        source.replace("\"VERSION ", &format!("\"{version} "))
    })
}

/// The body of the response of `guests/locator.wat` with this version, where it sees `path` below
/// the route `prefix`.
#[must_use]
pub fn locator_response(version: &str, path: &str, prefix: &str) -> String {
    format!("{version} {path} {prefix} {version}")
}
