//! The servers, with their flags.
//!
//! - this file: the servers, and the best flags of `wasmtime serve`.
//! - [`folder`]: folders of functions and logs.
//! - [`running`]: a running server.
//! - [`nats`]: the nats-server to which audit logs are forwarded.

pub(crate) mod folder;
pub(crate) mod nats;
pub(crate) mod running;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Serialize, Serializer};

use crate::programs::Programs;
use folder::Folder;

/// The flags with which `wasmtime serve` is fastest here; `bench --search` searches them again.
///
/// The first three halve its time together and do little alone: without any of
/// them, every request returns pages to the kernel and faults them in again.
/// `auto` does without `PAGEMAP_SCAN` before Linux 6.7. The fourth is worth a
/// tenth: memories that are reset in place gain nothing from copy-on-write. The
/// others change less than the noise, and do no harm.
///
/// No gain was found from other sizes of these, larger or smaller pools,
/// `pooling-max-unused-warm-slots`, `pooling-decommit-batch-size`,
/// `pooling-max-memory-size` and `table-lazy-init`, and a loss from
/// `pooling-allocator=n`. `-W concurrency-support=n` does not start,
/// `pooling-memory-protection-keys` is not built in, and
/// `--max-instance-concurrent-reuse-count` has no effect on WASI 0.2. With
/// instances used 128 times or more, none of the flags makes a difference.
pub(crate) const TUNED: &[&str] = &[
    "-Opooling-memory-keep-resident=2097152",
    "-Opooling-table-keep-resident=65536",
    "-Opooling-pagemap-scan=auto",
    "-Omemory-init-cow=n",
    "-Opooling-async-stack-keep-resident=131072",
    "-Cinlining=y",
    "-Wcomponent-model-async=n",
];

/// A pool of `wasmtime serve` for large compositions and many requests at a time.
pub(crate) const LARGE_POOL: &[&str] = &[
    "-Opooling-total-core-instances=100000",
    "-Opooling-total-memories=4000",
    "-Opooling-total-tables=10000",
    // An instance of WASI 0.3 has up to two.
    "-Opooling-total-stacks=4000",
];

/// An instance for each request, which `wasmtime serve` does only for WASI 0.2 by itself: an
/// instance of WASI 0.3 has up to 128 requests, 16 at a time.
pub(crate) const FRESH: &[&str] = &["--max-instance-reuse-count=1"];

/// A program and its flags.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    program: PathBuf,
    flags: Vec<String>,
    component: Option<PathBuf>,
    /// Its working folder.
    folder: Option<PathBuf>,
    /// Its folder for compiled code, if it loads functions while it listens.
    cache: Option<PathBuf>,
}

impl Server {
    /// The command line that serves on `addr`.
    pub(crate) fn command(&self, addr: SocketAddr) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.flags)
            .arg("--addr")
            .arg(addr.to_string())
            .args(&self.component)
            // Both make failures of guests more expensive.
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LOG");
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if let Some(cache) = &self.cache {
            command.env("XDG_CACHE_HOME", cache);
        }
        command
    }

    /// Whether it loads functions while it listens.
    pub(crate) fn loads_functions(&self) -> bool {
        self.cache.is_some()
    }

    /// The same server with another component.
    pub(crate) fn serving(self, component: &Path) -> Self {
        Self {
            component: Some(component.to_owned()),
            ..self
        }
    }

    /// The same server with this working folder.
    pub(crate) fn within(self, folder: &Folder) -> Self {
        Self {
            folder: Some(folder.path().to_owned()),
            ..self
        }
    }

    /// The command line without folders.
    pub(crate) fn shown(&self) -> String {
        let name = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
        let mut words = vec![name(&self.program)];
        words.extend(self.flags.iter().cloned());
        words.extend(self.component.as_deref().map(name));
        words.join(" ")
    }

    fn new(program: &Path, flags: &[&[&str]], component: Option<&Path>) -> Self {
        Self {
            program: program.to_owned(),
            flags: flags.concat().iter().map(ToString::to_string).collect(),
            component: component.map(Path::to_owned),
            folder: None,
            cache: None,
        }
    }

    /// Our server, without an audit log unless a flag names one, because no other server has one.
    pub(crate) fn ours(programs: &Programs, flags: &[&str]) -> Self {
        let has_log = flags.contains(&"--audit");
        let log: &[&str] = if has_log { &[] } else { &["--audit", "none"] };
        let flags = [&["serve"], log, flags];
        Self::new(&programs.ours, &flags, Some(&programs.component))
    }

    /// Our server of the functions of `path` in this folder, which also has its compiled code.
    pub(crate) fn functions(
        programs: &Programs,
        folder: &Folder,
        path: &str,
        flags: &[&str],
    ) -> Self {
        let flags = [&["--functions", path], flags].concat();
        Self {
            component: None,
            cache: Some(folder.path().join("cache")),
            ..Self::ours(programs, &flags).within(folder)
        }
    }

    /// `wasmtime serve`.
    pub(crate) fn wasmtime(programs: &Programs, flags: &[&[&str]]) -> Self {
        let serve: &[&[&str]] = &[&["serve"]];
        let flags = [serve, flags].concat();
        Self::new(&programs.wasmtime, &flags, Some(&programs.component))
    }

    /// The same job without WebAssembly.
    pub(crate) fn native(programs: &Programs) -> Self {
        Self::new(&programs.native, &[], None)
    }
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A server that is never started.
    pub(crate) fn server() -> Server {
        Server::new(Path::new("server"), &[], None)
    }

    fn wasmtime() -> Server {
        let program = Path::new("/somewhere/wasmtime");
        Server::new(
            program,
            &[&["serve", "-Ok=1"]],
            Some(Path::new("/x/app.wasm")),
        )
    }

    #[test]
    fn the_shown_command_names_no_folder() {
        assert_eq!(wasmtime().shown(), "wasmtime serve -Ok=1 app.wasm");
    }

    #[test]
    fn the_address_is_given_before_the_component() {
        let command = wasmtime().command("127.0.0.1:80".parse().unwrap());
        let args: Vec<_> = command.get_args().collect();
        let expected = ["serve", "-Ok=1", "--addr", "127.0.0.1:80", "/x/app.wasm"];
        assert_eq!(args, expected);
    }

    #[test]
    fn another_component_keeps_the_flags() {
        let server = wasmtime().serving(Path::new("/y/echo.wasm"));
        assert_eq!(server.shown(), "wasmtime serve -Ok=1 echo.wasm");
    }
}
