//! Compiled code in a file, and its mapping into an engine.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::{env, io};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::protocol::Compiled;
use crate::error::CompileError;

/// Compiled code in an immutable file, with its metadata.
#[derive(Debug)]
pub struct Artefact {
    compiled: Compiled,
    file: File,
}

impl Artefact {
    /// The code in `file`, which a compile child has written. Only this user can write to it.
    pub(super) fn new(compiled: Compiled, file: File) -> Self {
        Self { compiled, file }
    }

    /// The metadata of the component.
    #[must_use]
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// Maps the code into `engine`. All engines that map it share its pages.
    pub(crate) fn map(&self, engine: &Engine) -> Result<Component, CompileError> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let path = Path::new(&path);
        let mapped = if path.exists() {
            map_file(engine, path)
        } else {
            read(&self.file)
                .map_err(Into::into)
                .and_then(|code| load_copy(engine, &code))
        };
        mapped.map_err(CompileError::Load)
    }
}

/// A file without a name, in memory where the system supports it.
pub(super) fn anonymous_file() -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{MemfdFlags, memfd_create};

        if let Ok(file) = memfd_create("compiled-code", MemfdFlags::CLOEXEC) {
            return Ok(file.into());
        }
    }
    let (file, path) = unique_file(&env::temp_dir())?;
    fs::remove_file(path)?;
    Ok(file)
}

/// Creates a file in `folder` with a unique name, readable and writable by this user only.
pub(super) fn unique_file(folder: &Path) -> io::Result<(File, std::path::PathBuf)> {
    use std::os::unix::fs::OpenOptionsExt;

    let random = getrandom::u64().map_err(io::Error::other)?;
    let path = folder.join(format!("part-{}-{random:016x}", std::process::id()));
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(0o600);
    Ok((options.open(&path)?, path))
}

/// SHA-256 of the content of a file, in hexadecimal digits.
pub(super) fn digest_of(file: &File) -> io::Result<String> {
    const CHUNK_BYTES: usize = 64 << 10;

    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        let length = file.read_at(&mut chunk, offset)?;
        if length == 0 {
            return Ok(format!("{:x}", hasher.finalize()));
        }
        hasher.update(&chunk[..length]);
        offset += length as u64;
    }
}

fn read(file: &File) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut code = vec![0; length];
    file.read_exact_at(&mut code, 0)?;
    Ok(code)
}

#[expect(
    unsafe_code,
    reason = "deserialized code is executed without validation; this program has compiled it"
)]
fn map_file(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: A child of this program wrote the file completely, the SHA-256 of the file is the one
    // recorded then, only this user can write to it, and this program never does.
    unsafe { Component::deserialize_file(engine, path) }
}

#[expect(
    unsafe_code,
    reason = "deserialized code is executed without validation; this program has compiled it"
)]
fn load_copy(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: As above.
    unsafe { Component::deserialize(engine, code) }
}
