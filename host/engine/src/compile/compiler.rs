//! Compiler: from a job to an artefact, through the cache or a child.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::num::NonZero;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use memory_limit::available_bytes;
use tokio::task::spawn_blocking;

use super::artefact::{Artefact, anonymous_file};
use super::cache::CodeCache;
use super::process::Launcher;
use super::protocol::{AdapterUse, Compiled, Job};
use super::queue::{Demand, Permit, Priority, Queue};
use crate::engine;
use crate::engine_kind::EngineKind;
use crate::error::CompileError;

/// Minimum of the limit of concurrent children, for machines with few processors: a slow component
/// does not delay others.
const MIN_CHILDREN: u32 = 4;

/// Size limit of a component that compiles within two seconds, in bytes.
const SMALL_BYTES: u64 = 1 << 20;

/// Expected memory of a child: a fixed part, and a multiple of the size of its component. Large
/// components in Python and JavaScript needed two thirds of it.
const MEMORY_BYTES: u64 = 128 << 20;
const MEMORY_FACTOR: u64 = 32;

/// Settings of the compiler.
#[derive(Debug)]
pub struct CompilerSettings {
    /// The executable of this program, which is started as a child.
    pub program: PathBuf,
    /// CPU time limit of a component, of all threads together.
    pub time: Duration,
    /// Memory limit of a child, in bytes.
    pub memory_bytes: u64,
    /// Nice value of a child: above 0 where requests are served meanwhile.
    pub nice: u8,
    /// The code cache. None: artefacts are in memory, as long as they are used.
    pub cache: Option<CodeCache>,
}

/// Compiles components, each in a child, and caches the artefacts.
#[derive(Debug)]
pub struct Compiler {
    launcher: Launcher,
    cache: Option<CodeCache>,
    /// The part of cache keys that does not depend on the job.
    platform: String,
    queue: Arc<Queue>,
}

impl Compiler {
    /// Creates a compiler.
    ///
    /// # Errors
    ///
    /// Fails if wasmtime does not support this machine.
    pub fn new(settings: CompilerSettings) -> wasmtime::Result<Self> {
        let CompilerSettings {
            program,
            time,
            memory_bytes,
            nice,
            cache,
        } = settings;
        let processors = available_parallelism().map_or(1, NonZero::get);
        let max_children = u32::try_from(processors).unwrap_or(1).max(MIN_CHILDREN);
        Ok(Self {
            platform: platform(&program)?,
            launcher: Launcher {
                program,
                time,
                memory_bytes,
                nice,
            },
            cache,
            queue: Queue::new(max_children, available_bytes),
        })
    }

    /// Compiles the component of `job`, or finds it in the cache. With `is_new`, no version of its
    /// function was active before. Dropping this future kills the child.
    ///
    /// # Errors
    ///
    /// Fails if the component is invalid, or exceeds a limit of the compiler.
    pub async fn compile(&self, job: &Job, is_new: bool) -> Result<Artefact, CompileError> {
        if let Some(found) = self.cached(job).await? {
            return Ok(found);
        }
        let priority = priority(job, is_new);
        let permit = self.queue.permit(self.demand(job), priority).await?;
        // An equal job may have filled the cache in the meantime.
        if let Some(found) = self.cached(job).await? {
            return Ok(found);
        }
        let partial = self.cache.as_ref().map(CodeCache::create).transpose();
        let partial = partial.unwrap_or_else(|error| {
            warn_not_cached(&error);
            None
        });
        let file = match &partial {
            Some(partial) => partial.file.try_clone()?,
            None => anonymous_file()?,
        };
        let compiled = self.run(job, &file, permit, priority).await?;
        let compiled = compiled.ok_or_else(|| io::Error::other("missing component in the job"))?;
        if let Some((cache, partial)) = self.cache.clone().zip(partial) {
            let (key, kept) = (self.key(job, compiled.adapter_use()), compiled.clone());
            let keep = move || cache.insert(&key, &kept, &partial);
            let done = spawn_blocking(keep).await.map_err(io::Error::other)?;
            done.unwrap_or_else(|error| warn_not_cached(&error));
        }
        Ok(Artefact::new(compiled, file))
    }

    /// Validates and compiles `job` without an artefact. None if `job` has no component, and its
    /// adapters are valid.
    ///
    /// # Errors
    ///
    /// Fails like [`compile`](Self::compile).
    pub async fn check(&self, job: &Job) -> Result<Option<Compiled>, CompileError> {
        let null = File::options().write(true).open("/dev/null")?;
        let priority = priority(job, true);
        let permit = self.queue.permit(self.demand(job), priority).await?;
        self.run(job, &null, permit, priority).await
    }

    /// Runs `job` in a child. If the system kills the child, the job runs once more, without other
    /// children, which together may have exceeded the memory of the machine.
    async fn run(
        &self,
        job: &Job,
        output: &File,
        permit: Permit,
        priority: Priority,
    ) -> Result<Option<Compiled>, CompileError> {
        match self.launcher.run(job, output.try_clone()?).await {
            Err(CompileError::Killed) => {}
            done => return done,
        }
        drop(permit);
        let exclusive = Demand {
            is_exclusive: true,
            ..self.demand(job)
        };
        let _exclusive = self.queue.permit(exclusive, priority).await?;
        truncate(output)?;
        self.launcher.run(job, output.try_clone()?).await
    }

    /// Looks `job` up in the cache. Components that serve HTTP do not depend on adapters.
    async fn cached(&self, job: &Job) -> Result<Option<Artefact>, CompileError> {
        let Some(cache) = self.cache.clone() else {
            return Ok(None);
        };
        let keys = [AdapterUse::Unused, AdapterUse::Used].map(|adapters| self.key(job, adapters));
        let find = move || keys.iter().find_map(|key| cache.get(key));
        Ok(spawn_blocking(find).await.map_err(io::Error::other)?)
    }

    fn demand(&self, job: &Job) -> Demand {
        let parts = job.component.iter().chain(&job.middleware);
        let bytes: u64 = parts.map(|part| part.bytes.len() as u64).sum();
        let memory_bytes = MEMORY_BYTES.saturating_add(bytes.saturating_mul(MEMORY_FACTOR));
        Demand {
            is_exclusive: false,
            is_small: bytes <= SMALL_BYTES,
            memory_bytes: memory_bytes.min(self.launcher.memory_bytes),
        }
    }

    fn key(&self, job: &Job, adapters: AdapterUse) -> String {
        format!("{}-{}", job.key(adapters), self.platform)
    }
}

fn priority(job: &Job, is_new: bool) -> Priority {
    let component = job.component.as_ref();
    Priority {
        is_new,
        bytes: component.map_or(0, |part| part.bytes.len() as u64),
    }
}

fn warn_not_cached(error: &io::Error) {
    tracing::warn!("compiled code is not cached for the next start: {error}");
}

/// Discards the output of a killed child.
fn truncate(mut output: &File) -> io::Result<()> {
    use std::io::Seek;

    if output.metadata()?.is_file() {
        output.set_len(0)?;
        output.rewind()?;
    }
    Ok(())
}

/// Digest of all that artefacts depend on apart from their inputs: wasmtime, the processor, and
/// this program.
fn platform(program: &Path) -> wasmtime::Result<String> {
    let engine = engine::for_compiling(&engine::config(EngineKind::default()))?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    if let Ok(file) = fs::metadata(program) {
        (file.len(), file.mtime(), file.mtime_nsec()).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}
