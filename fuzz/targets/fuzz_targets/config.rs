//! The text of a configuration file: it is read, or refused with a message.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use host::cli::Cli;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|text: &[u8]| {
    let path: PathBuf = FOLDER.path().join("config.toml");
    fs::write(&path, text).expect("a folder that can be written to");
    let words = ["component-runner", "serve", "--config"].map(Into::into);
    let words = words.into_iter().chain([path.into_os_string()]);
    if let Err(error) = Cli::read(words) {
        assert!(!error.to_string().is_empty());
    }
});
