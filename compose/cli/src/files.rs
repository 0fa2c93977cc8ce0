//! Input files, and atomic output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, anyhow};
use compose::{AsyncInterfaces, Component, ComponentError, Composition, Plan, PlannedComponent};

use crate::args::Input;
use crate::failure::Failure;

/// Reads a component.
pub(crate) fn read_component(input: &Input) -> Result<Component, Failure> {
    let bytes = read(&input.path)?;
    component(input, bytes)
}

/// Reads several components.
pub(crate) fn read_components(inputs: &[Input]) -> Result<Vec<Component>, Failure> {
    inputs.iter().map(read_component).collect()
}

/// Reads the composition of a component or a plan.
pub(crate) fn read_composition(input: &Input) -> Result<Composition, Failure> {
    let bytes = read(&input.path)?;
    if !is_plan(&bytes) {
        return Ok(Composition::of(&component(input, bytes)?));
    }
    let plan = parse_plan(&input.path, &bytes)?;
    Ok(plan.composition(&components_of(&plan)?)?)
}

/// The same, with nested compositions expanded, and its asynchronous interfaces.
pub(crate) fn read_expanded(input: &Input) -> Result<(Composition, AsyncInterfaces), Failure> {
    let bytes = read(&input.path)?;
    if !is_plan(&bytes) {
        let component = component(input, bytes)?;
        let composition = Composition::expanded(&component);
        return Ok((composition, AsyncInterfaces::of([&component])));
    }
    let plan = parse_plan(&input.path, &bytes)?;
    let components = components_of(&plan)?;
    let parts = components.iter();
    let parts = parts.map(|part| (part.name().to_owned(), part.bytes()));
    let composition = plan.composition(&components)?.expand(parts);
    Ok((composition, AsyncInterfaces::of(&components)))
}

/// Whether a file looks like a plan: JSON, which components and manifests do not start
/// with.
pub(crate) fn is_plan(bytes: &[u8]) -> bool {
    without_bom(bytes).trim_ascii_start().starts_with(b"{")
}

/// Text without the byte-order mark that some editors write.
fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads a plan.
pub(crate) fn parse_plan(path: &Path, bytes: &[u8]) -> Result<Plan, Failure> {
    serde_json::from_slice(without_bom(bytes))
        .with_context(|| format!("`{}` is not a plan", path.display()))
        .map_err(Failure::usage)
}

/// Reads the components of a plan from the files that it names.
pub(crate) fn components_of(plan: &Plan) -> Result<Vec<Component>, Failure> {
    let read = |component: &PlannedComponent| {
        let name = &component.name;
        let Some(file) = &component.file else {
            return Err(Failure::usage(anyhow!(
                "the plan has no `file` for the component `{name}`"
            )));
        };
        let path = Path::new(file);
        Component::new(name, self::read(path)?).map_err(|error| unusable(path, error))
    };
    plan.components.iter().map(read).collect()
}

/// Reads a WIT file, or the files of a folder and its `deps`, with their paths. The files
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

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    text(path, &read(path)?)
}

/// Decodes the contents of a text file.
pub(crate) fn text(path: &Path, bytes: &[u8]) -> Result<String, Failure> {
    String::from_utf8(without_bom(bytes).to_vec())
        .map_err(|_| Failure::usage(anyhow!("`{}` is not UTF-8 text", path.display())))
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
/// The write is atomic: a temporary file in the same folder is renamed.
pub(crate) fn write_output(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let result = if path == Path::new("-") {
        let mut stdout = io::stdout().lock();
        ignore_broken_pipe(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    } else if is_device(path) {
        // A rename would replace the device.
        fs::write(path, bytes)
    } else {
        replace(path, bytes)
    };
    result
        .with_context(|| format!("cannot write `{}`", path.display()))
        .map_err(Failure::io)
}

/// Treats a pipe that its reader has closed as fully written.
pub(crate) fn ignore_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_sibling(path)?;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)
        .and_then(|file| fill(file, bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is reported.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_sibling(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a file name",
        ));
    };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", process::id()));
    Ok(path.with_file_name(temporary))
}
