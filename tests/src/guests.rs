//! Components in WAT, most of which misbehave.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::artifacts;

/// A component in a folder of its own, removed when dropped.
#[derive(Debug)]
pub struct Guest {
    folder: TempDir,
}

impl Guest {
    /// Assembles `guests/NAME.wat`. A line `;; include FILE` includes `guests/FILE`, recursively.
    #[must_use]
    pub fn assemble(name: &str) -> Self {
        Self::of(assemble(name, |source| source))
    }

    /// A file with any content.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let guest = Self { folder };
        fs::write(guest.path(), bytes).expect("a folder that can be written to");
        guest
    }

    /// Two guests that append the body of a request to the audit log: for WASI 0.2, and for WASI
    /// 0.3.
    #[must_use]
    pub fn appenders() -> [Self; 2] {
        let path = artifacts::test_guest("hostile-03");
        let guest = fs::read(&path)
            .unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()));
        [Self::assemble("appender"), Self::of(guest)]
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("guest.wasm")
    }
}

/// The bytes of `guests/NAME.wat`, of which `change` may change the text.
pub fn assemble(name: &str, change: impl FnOnce(String) -> String) -> Vec<u8> {
    let source = change(source(&Path::new(name).with_extension("wat")));
    wat::parse_str(source).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The text of a file in `guests`, with its includes.
fn source(file: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("guests")
        .join(file);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()));
    let mut source = String::new();
    for line in text.lines() {
        match line.trim().strip_prefix(";; include ") {
            Some(included) => source.push_str(&self::source(Path::new(included))),
            None => writeln!(source, "{line}").expect("memory"),
        }
    }
    source
}
