//! Components that misbehave, written by hand.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A component in a folder of its own, which is removed with this value.
#[derive(Debug)]
pub struct Guest {
    folder: TempDir,
}

impl Guest {
    /// Assembles `guests/NAME.wat`.
    #[must_use]
    pub fn assemble(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
        let source = folder.join(name).with_extension("wat");
        let bytes = wat::parse_file(source).unwrap_or_else(|error| panic!("{error}"));
        Self::of(&bytes)
    }

    /// A file with any content.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let guest = Self { folder };
        fs::write(guest.path(), bytes).expect("a folder that can be written to");
        guest
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("guest.wasm")
    }
}
