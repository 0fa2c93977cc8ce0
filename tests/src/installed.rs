//! Programs of other projects, such as proxies and clients: installed ones, or those that `make
//! debian` has unpacked.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::artifacts;

/// A program that runs on this machine.
#[derive(Debug)]
pub struct Installed {
    program: PathBuf,
    /// Folders of the libraries that were unpacked with it.
    libraries: Option<OsString>,
}

impl Installed {
    /// The program with this name, if it runs with this argument, which prints its version.
    /// Otherwise prints that its tests are skipped.
    #[must_use]
    pub fn find(name: &str, version: &str) -> Option<Self> {
        let root = unpacked();
        let system = [PathBuf::from(name), Path::new("/usr/sbin").join(name)];
        let system = system.map(|program| Self {
            program,
            libraries: None,
        });
        let unpacked = ["usr/bin", "usr/sbin"].map(|folder| Self {
            program: root.join(folder).join(name),
            libraries: libraries(&root),
        });
        let mut candidates = system.into_iter().chain(unpacked);
        let found = candidates.find(|candidate| {
            let output = candidate.command().arg(version).output();
            output.is_ok_and(|output| output.status.success())
        });
        if found.is_none() {
            eprintln!("skipped: `{name}` is not installed");
        }
        found
    }

    /// A command line without arguments.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// A file of its package, by its path below `/`.
    #[must_use]
    pub fn file(&self, path: &str) -> PathBuf {
        match self.libraries {
            Some(_) => unpacked().join(path),
            None => Path::new("/").join(path),
        }
    }
}

fn unpacked() -> PathBuf {
    artifacts::peers().join("debian/root")
}

/// The folders of libraries below `root`, one per architecture.
fn libraries(root: &Path) -> Option<OsString> {
    let folders = fs::read_dir(root.join("usr/lib")).ok()?;
    let folders = folders.filter_map(|folder| Some(folder.ok()?.path()));
    env::join_paths(folders).ok()
}
