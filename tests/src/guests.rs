//! Components written by hand, most of which misbehave.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A component in a folder of its own, which is removed with this value.
#[derive(Debug)]
pub struct Guest {
    folder: TempDir,
}

impl Guest {
    /// Assembles `guests/NAME.wat`. The line `;; include FILE` in it stands for
    /// what is in that file.
    #[must_use]
    pub fn assemble(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
        let read = |file: &Path| {
            let source = fs::read_to_string(folder.join(file));
            source.unwrap_or_else(|error| panic!("cannot read `{}`: {error}", file.display()))
        };
        let file = Path::new(name).with_extension("wat");
        let mut source = String::new();
        for line in read(&file).lines() {
            let text = match line.trim().strip_prefix(";; include ") {
                Some(included) => &read(Path::new(included)),
                None => line,
            };
            writeln!(source, "{text}").expect("memory");
        }
        let bytes = wat::parse_str(source).unwrap_or_else(|error| panic!("{name}: {error}"));
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
