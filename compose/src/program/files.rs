//! Reading components and writing results.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result};
use compose::Component;

/// Reads a component; its name is the stem of the file.
pub(crate) fn read_component(path: &Path) -> Result<Component> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    Component::new(name.to_string_lossy(), bytes)
        .with_context(|| format!("cannot use `{}`", path.display()))
}

/// Writes `bytes` to `path`, or to standard output if that is `-`.
///
/// A file is complete or not there: it is written beside its place and renamed.
pub(crate) fn write_output(path: &Path, bytes: &[u8]) -> Result<()> {
    let result = if path == Path::new("-") {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    } else if is_device(path) {
        // Renaming would replace it.
        fs::write(path, bytes)
    } else {
        replace(path, bytes)
    };
    result.with_context(|| format!("cannot write `{}`", path.display()))
}

fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_beside(path)?;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)
        .and_then(|file| fill(file, bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it does not name a file",
        ));
    };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", process::id()));
    Ok(path.with_file_name(temporary))
}
