//! The structure of the source tree.
//!
//! - `imports.rs`: the direction of imports within a crate.
//! - `words.rs`: sizes of files, and phrases.
//! - `documents.rs`: links and names of tests in documents.
//! - `versions.rs`: the versions of peers, which the Makefile and the programs state.

mod documents;
mod imports;
mod versions;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// All files below `folder` with this extension, but for build outputs and foreign sources.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            if path.is_dir() {
                if !matches!(&*name, "target" | "node_modules" | "deps") && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
