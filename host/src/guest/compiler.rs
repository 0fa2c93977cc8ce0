//! Compiling in a process of its own.
//!
//! A component from somebody else may be made so that compiling it takes for ever, or all
//! the memory there is, or breaks the compiler. In a process of its own none of this
//! matters to requests: it has a low priority, and ends when it has taken what it may.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setpriority_process, setrlimit};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::{self, EngineKind};
use super::error::INVALID;

/// The words of the command line that compile one component.
pub const COMPILE_COMMAND: &str = "compile-component";

/// The exit code that says that something is wrong with the component, and standard error
/// what that is.
const REFUSED: i32 = 1;

/// The exit code of a program of Rust that panicked.
const PANICKED: i32 = 101;

/// How much compiled code is kept, in bytes.
const MAX_KEPT_BYTES: u64 = 2 << 30;

/// The lowest priority there is.
const NICE: i32 = 19;

/// How much of what the other process says is kept, in bytes.
const MAX_MESSAGE_BYTES: u64 = 4096;

/// Compiles components, each in a process of its own, and keeps what came of it.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// The program, which does [`compile_component`] if it is told [`COMPILE_COMMAND`].
    pub program: PathBuf,
    /// How long a component may take.
    pub time: Duration,
    /// How much memory it may take, in bytes.
    pub memory_bytes: u64,
    /// Where compiled code is kept. Nobody else may write there: the code is run as it is.
    pub folder: Option<PathBuf>,
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The process cannot be started, or talked to.
    #[error("cannot run the compiler: {0}")]
    Run(io::Error),
    /// It took too long.
    #[error("compiling it took longer than {} s; allow more with `--compile-timeout`", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It said what is wrong with the component.
    #[error("{INVALID}: {}", sanitize::line(.0))]
    Invalid(String),
    /// The compiler panicked.
    #[error(
        "the compiler failed at this component, which is a bug in the compiler: {0}; build the \
         component another way, for example without optimisation, and report the bug"
    )]
    Panicked(String),
    /// It broke.
    #[error(
        "the compiler ended with {status}, perhaps because it needed more than {memory_bytes} \
         bytes of memory; allow more with `--max-compile-memory`"
    )]
    Died {
        /// How it ended.
        status: ExitStatus,
        /// What it may have had.
        memory_bytes: u64,
    },
    /// What it made cannot be used here.
    #[error("compiled code cannot be loaded: {0:#}")]
    Unusable(wasmtime::Error),
}

impl Compiler {
    /// The component in `bytes`, of this SHA-256, as code for `engine`.
    pub(super) fn component(
        &self,
        engine: &Engine,
        kind: EngineKind,
        bytes: &[u8],
        sha256: &str,
    ) -> Result<Component, CompileError> {
        let kept = self
            .folder
            .as_deref()
            .map(|folder| place(folder, engine, sha256));
        if let Some(path) = &kept
            && path.exists()
        {
            match load_file(engine, path) {
                Ok(component) => return Ok(component),
                // It is made anew.
                Err(error) => tracing::warn!("`{}` is not used: {error:#}", path.display()),
            }
        }
        let code = self.compile(kind, bytes)?;
        if let Some(path) = &kept {
            match keep(path, &code) {
                // Mapped from the file, it takes no memory that others could not have.
                Ok(()) => return load_file(engine, path).map_err(CompileError::Unusable),
                Err(error) => {
                    tracing::warn!("compiled code is not kept in `{}`: {error}", path.display());
                }
            }
        }
        load(engine, &code).map_err(CompileError::Unusable)
    }

    /// Whether code for `engine` is kept of the component of this SHA-256: it has been
    /// checked then.
    pub(super) fn knows(&self, engine: &Engine, sha256: &str) -> bool {
        let folder = self.folder.as_deref();
        folder.is_some_and(|folder| place(folder, engine, sha256).exists())
    }

    /// Compiles in a process of its own.
    fn compile(&self, kind: EngineKind, bytes: &[u8]) -> Result<Vec<u8>, CompileError> {
        let answer = |yes| if yes { "yes" } else { "no" };
        let mut child = Command::new(&self.program)
            .args([COMPILE_COMMAND, answer(kind.inlines), answer(kind.has_gc)])
            .arg(self.memory_bytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(CompileError::Run)?;
        let spoken = self.speak(&mut child, bytes);
        if spoken.is_err() {
            // It has ended, or is of no use any more.
            let _ = child.kill();
        }
        let status = child.wait().map_err(CompileError::Run)?;
        let Spoken { code, message } = spoken?;
        if status.success() {
            return Ok(code);
        }
        Err(self.failure(status, message))
    }

    /// Why the process ended with `status` after it wrote `message` to standard error.
    fn failure(&self, status: ExitStatus, message: String) -> CompileError {
        match status.code() {
            Some(REFUSED) => CompileError::Invalid(message),
            Some(PANICKED) => {
                let lines = message.lines().filter(|line| !line.starts_with("note: "));
                let lines: Vec<_> = lines.map(str::trim).collect();
                CompileError::Panicked(lines.join(" ").trim().to_owned())
            }
            _ => CompileError::Died {
                status,
                memory_bytes: self.memory_bytes,
            },
        }
    }

    /// Hands the component over, and takes what comes back until there is no more.
    fn speak(&self, child: &mut Child, bytes: &[u8]) -> Result<Spoken, CompileError> {
        let none = || CompileError::Run(io::ErrorKind::BrokenPipe.into());
        let mut stdin = child.stdin.take().ok_or_else(none)?;
        let mut stdout = child.stdout.take().ok_or_else(none)?;
        let stderr = child.stderr.take().ok_or_else(none)?;
        thread::scope(|scope| {
            scope.spawn(move || {
                // If it wants no more, it says why.
                let _ = stdin.write_all(bytes);
            });
            let (done, is_done) = mpsc::channel();
            scope.spawn(move || {
                let mut message = String::new();
                let mut code = Vec::new();
                // Both end when the process does, whatever it wrote to the other one.
                let read = stdout.read_to_end(&mut code);
                let _ = stderr.take(MAX_MESSAGE_BYTES).read_to_string(&mut message);
                let message = message.trim().to_owned();
                // Nobody waits any more if it took too long.
                let _ = done.send(read.map(|_| Spoken { code, message }));
            });
            let spoken = is_done.recv_timeout(self.time);
            if spoken.is_err() {
                // The threads above end with it.
                let _ = child.kill();
            }
            match spoken {
                Ok(spoken) => spoken.map_err(CompileError::Run),
                Err(_) => Err(CompileError::TimedOut(self.time)),
            }
        })
    }
}

/// What came back.
struct Spoken {
    code: Vec<u8>,
    /// What is wrong with the component.
    message: String,
}

/// The other side: compiles the component that standard input has and writes the code to
/// standard output. The process must have nothing else to do.
///
/// # Errors
///
/// Fails if it is no component.
pub fn compile_component(inlines: bool, has_gc: bool, memory_bytes: u64) -> wasmtime::Result<()> {
    give_way(memory_bytes);
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let kind = EngineKind { inlines, has_gc };
    let engine = engine::for_compiling(&engine::config(kind))?;
    let code = engine.precompile_component(&bytes)?;
    io::stdout().lock().write_all(&code)?;
    Ok(())
}

/// Lets all others go first, and bounds the memory of this process.
fn give_way(memory_bytes: u64) {
    // Without either, it works as well.
    let _ = setpriority_process(None, NICE);
    let limit = getrlimit(Resource::Data);
    let _ = setrlimit(
        Resource::Data,
        Rlimit {
            current: Some(memory_bytes),
            ..limit
        },
    );
}

/// Makes a folder for compiled code that only the user of this process may write to, or
/// checks that the one that is there is like that: the code is run as it is.
///
/// # Errors
///
/// Fails if it cannot be made, is somebody else's, or others may write there.
pub fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let found = fs::metadata(path)?;
    let why = if found.uid() != geteuid().as_raw() {
        "it belongs to another user"
    } else if found.mode() & 0o022 != 0 {
        "others may write there; take that away with `chmod go-w`"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Where the code of a component is kept. Code for another engine is elsewhere.
fn place(folder: &Path, engine: &Engine, sha256: &str) -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let engine = format!("{:016x}", hasher.finish());
    folder.join(engine).join(format!("{sha256}.cwasm"))
}

/// Writes a file that is there as a whole or not at all, also after the power has failed.
fn keep(path: &Path, code: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(code)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    File::open(folder)?.sync_all()?;
    prune(folder, MAX_KEPT_BYTES)
}

/// Removes code that was not loaded for longest, if there is more than may be. What is in
/// use stays mapped.
fn prune(folder: &Path, max_bytes: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // One that is gone meanwhile is gone.
        if let Ok(metadata) = entry.metadata() {
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    files.sort();
    for (_, length, path) in files {
        if bytes <= max_bytes {
            break;
        }
        fs::remove_file(path)?;
        bytes -= length;
    }
    Ok(())
}

#[expect(
    unsafe_code,
    reason = "code is run as it is; this one was made by this program, with this engine"
)]
fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `Compiler::compile` has made it, and nobody has had it in between.
    unsafe { Component::deserialize(engine, code) }
}

#[expect(
    unsafe_code,
    reason = "code is run as it is; this one is in a folder that is this program's alone"
)]
fn load_file(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // What is used is kept longer than what is not.
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    // SAFETY: `keep` has written it, as a whole, into a folder that nobody else may write
    // to, and it is never changed: other code has another name.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_panic_of_the_compiler_is_reported_as_one_and_not_as_a_lack_of_memory() {
        let compiler = Compiler {
            program: PathBuf::new(),
            time: Duration::ZERO,
            memory_bytes: 1 << 30,
            folder: None,
        };
        let text = "\nthread 'main' panicked at a.rs:1:2:\nit is odd\nnote: run with `X`";
        let error = |status| compiler.failure(ExitStatus::from_raw(status), text.to_owned());
        let panicked = error(PANICKED << 8).to_string();
        assert!(
            panicked
                .contains("bug in the compiler: thread 'main' panicked at a.rs:1:2: it is odd;")
        );
        assert!(
            !panicked.contains("memory") && !panicked.contains("note"),
            "{panicked}"
        );
        // SIGABRT, which is what an allocation that fails ends with.
        assert!(error(6).to_string().contains("--max-compile-memory"));
    }

    #[test]
    fn code_is_not_kept_where_others_may_write() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/code");
        private_folder(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        private_folder(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o720)).unwrap();
        let error = private_folder(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_was_not_used_for_longest_is_removed_first() {
        let folder = tempfile::tempdir().unwrap();
        for (name, seconds) in [("new", 30), ("old", 10), ("middle", 20)] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
        }
        prune(folder.path(), 200).unwrap();
        let exists = |name: &str| folder.path().join(name).exists();
        assert!(exists("new") && exists("middle") && !exists("old"));
        prune(folder.path(), 200).unwrap();
        assert!(exists("new") && exists("middle"));
    }
}
