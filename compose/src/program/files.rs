//! Reading components and writing results.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, anyhow};
use compose::{Component, ComponentError, Plan, PlannedComponent, Structure};

use super::cli::Input;
use super::failure::Failure;

/// Reads a component.
pub(crate) fn read_component(input: &Input) -> Result<Component, Failure> {
    let bytes = read(&input.path)?;
    component(input, bytes)
}

/// Reads several components.
pub(crate) fn read_components(inputs: &[Input]) -> Result<Vec<Component>, Failure> {
    inputs.iter().map(read_component).collect()
}

/// Reads a component or a plan, and says what it consists of.
pub(crate) fn read_structure(input: &Input) -> Result<Structure, Failure> {
    let bytes = read(&input.path)?;
    if !is_plan(&bytes) {
        return Ok(Structure::of(&component(input, bytes)?));
    }
    let plan = parse_plan(&input.path, &bytes)?;
    Ok(plan.structure(&components_of(&plan)?)?)
}

/// The same, down to the parts that are no compositions.
pub(crate) fn read_expanded(input: &Input) -> Result<Structure, Failure> {
    let bytes = read(&input.path)?;
    if !is_plan(&bytes) {
        return Ok(Structure::expanded(&component(input, bytes)?));
    }
    let plan = parse_plan(&input.path, &bytes)?;
    let components = components_of(&plan)?;
    let parts = components.iter();
    let parts = parts.map(|part| (part.name().to_owned(), part.bytes()));
    Ok(plan.structure(&components)?.expand(parts))
}

/// Whether a file looks like a plan: JSON, where components and manifests begin with
/// something else.
pub(crate) fn is_plan(bytes: &[u8]) -> bool {
    without_mark(bytes).trim_ascii_start().starts_with(b"{")
}

/// Text without the byte-order mark that some editors put before it.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads a plan.
pub(crate) fn parse_plan(path: &Path, bytes: &[u8]) -> Result<Plan, Failure> {
    serde_json::from_slice(without_mark(bytes))
        .with_context(|| format!("`{}` is not a plan", path.display()))
        .map_err(Failure::usage)
}

/// Reads the components of a plan from the files that it names.
pub(crate) fn components_of(plan: &Plan) -> Result<Vec<Component>, Failure> {
    let read = |component: &PlannedComponent| {
        let name = &component.name;
        let Some(file) = &component.file else {
            return Err(Failure::usage(anyhow!(
                "the plan does not say in which `file` the component `{name}` is"
            )));
        };
        let path = Path::new(file);
        Component::new(name, self::read(path)?).map_err(|error| unusable(path, error))
    };
    plan.components.iter().map(read).collect()
}

/// Reads a WIT file, or the files of a folder and its `deps`, with their paths. Those
/// of the folder itself come first.
pub(crate) fn read_wit(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let mut texts = Vec::new();
    if !path.is_dir() {
        texts.push((path.display().to_string(), read_text(path)?));
        return Ok(texts);
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries = fs::read_dir(&folder)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .with_context(|| format!("cannot read `{}`", folder.display()))
            .map_err(Failure::io)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let entry = entry.path();
            if entry.is_dir() && (folder != path || entry.ends_with("deps")) {
                folders.push(entry);
            } else if entry
                .extension()
                .is_some_and(|extension| extension == "wit")
            {
                texts.push((entry.display().to_string(), read_text(&entry)?));
            }
        }
    }
    Ok(texts)
}

/// Reads a file that holds text.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    text(path, &read(path)?)
}

/// Takes what was read from a file as text.
pub(crate) fn text(path: &Path, bytes: &[u8]) -> Result<String, Failure> {
    String::from_utf8(without_mark(bytes).to_vec())
        .map_err(|_| Failure::usage(anyhow!("`{}` is not text in UTF-8", path.display())))
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map_err(Failure::io)
}

fn component(input: &Input, bytes: Vec<u8>) -> Result<Component, Failure> {
    Component::new(input.name(), bytes).map_err(|error| unusable(&input.path, error))
}

fn unusable(path: &Path, error: ComponentError) -> Failure {
    Failure::from(error).context(format!("cannot use `{}`", path.display()))
}

/// Writes `bytes` to `path`, or to standard output if that is `-`.
///
/// A file is complete or not there: it is written beside its place and renamed.
pub(crate) fn write_output(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let result = if path == Path::new("-") {
        let mut stdout = io::stdout().lock();
        unless_closed(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    } else if is_device(path) {
        // Renaming would replace it.
        fs::write(path, bytes)
    } else {
        replace(path, bytes)
    };
    result
        .with_context(|| format!("cannot write `{}`", path.display()))
        .map_err(Failure::io)
}

/// Takes a pipe whose reader has closed it for one that took everything.
pub(crate) fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
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
