//! The servers, with their flags.
//!
//! - this file: the servers, and the best flags of `wasmtime serve`.
//! - [`programs`]: paths of the programs and components.
//! - [`process`]: child processes that do not outlive this program.
//! - [`nats`]: the nats-server to which audit logs are forwarded.
//! - [`running`]: a running server.

pub(crate) mod nats;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod running;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::functions::Folder;
use programs::Programs;

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
];

/// A program and its flags.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    program: PathBuf,
    flags: Vec<String>,
    component: Option<PathBuf>,
    /// Its working folder.
    folder: Option<PathBuf>,
    /// Its folder for compiled code.
    cache: Option<PathBuf>,
    /// Whether it loads functions while it listens.
    loads_functions: bool,
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

    /// The same server with another component.
    pub(crate) fn serving(self, component: &Path) -> Self {
        Self {
            component: Some(component.to_owned()),
            ..self
        }
    }

    /// The same server with this working folder.
    pub(crate) fn within(self, folder: &Path) -> Self {
        Self {
            folder: Some(folder.to_owned()),
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

    fn new(program: &Path, flags: &[&str], component: Option<&Path>) -> Self {
        Self {
            program: program.to_owned(),
            flags: flags.iter().map(ToString::to_string).collect(),
            component: component.map(Path::to_owned),
            folder: None,
            cache: None,
            loads_functions: false,
        }
    }
}

impl Programs {
    /// Our server, without an audit log unless a flag names one, because no other server has one.
    pub(crate) fn ours(&self, flags: &[&str]) -> Server {
        let log: &[&str] = if flags.contains(&"--audit") {
            &[]
        } else {
            &["--audit", "none"]
        };
        Server::new(
            &self.ours,
            &[&["serve"], log, flags].concat(),
            Some(&self.component),
        )
    }

    /// Our server of the functions of `path` in this folder, which also has its compiled code.
    pub(crate) fn functions(&self, folder: &Folder, path: &str, flags: &[&str]) -> Server {
        let flags = [&["--functions", path], flags].concat();
        Server {
            component: None,
            cache: Some(folder.cache()),
            loads_functions: true,
            ..self.ours(&flags).within(folder.path())
        }
    }

    /// `wasmtime serve`.
    pub(crate) fn wasmtime(&self, flags: &[&str]) -> Server {
        Server::new(
            &self.wasmtime,
            &[&["serve"], flags].concat(),
            Some(&self.component),
        )
    }

    /// The same job without WebAssembly.
    pub(crate) fn native(&self, flags: &[&str]) -> Server {
        Server::new(&self.native, flags, None)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A server that is never started.
    pub(crate) fn server() -> Server {
        Server::new(Path::new("server"), &[], None)
    }

    #[test]
    fn the_shown_command_names_no_folder() {
        let program = Path::new("/somewhere/wasmtime");
        let server = Server::new(program, &["serve", "-Ok=1"], Some(Path::new("/x/app.wasm")));
        assert_eq!(server.shown(), "wasmtime serve -Ok=1 app.wasm");
    }

    #[test]
    fn the_address_is_given_before_the_component() {
        let program = Path::new("/somewhere/wasmtime");
        let server = Server::new(program, &["serve"], Some(Path::new("/x/app.wasm")));
        let command = server.command("127.0.0.1:80".parse().unwrap());
        let args: Vec<_> = command.get_args().collect();
        assert_eq!(args, ["serve", "--addr", "127.0.0.1:80", "/x/app.wasm"]);
    }

    #[test]
    fn another_component_keeps_the_flags() {
        let program = Path::new("/somewhere/wasmtime");
        let server = Server::new(program, &["serve", "-Ok=1"], Some(Path::new("/x/app.wasm")));
        let server = server.serving(Path::new("/y/echo.wasm"));
        assert_eq!(server.shown(), "wasmtime serve -Ok=1 echo.wasm");
    }
}
