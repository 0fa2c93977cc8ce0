//! From a job to an artefact, through the cache or a child.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::num::NonZero;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::EngineKind;
use super::artefact::{Artefact, anonymous_file};
use super::cache::CodeCache;
use super::process::{CompileError, Launcher};
use super::protocol::{AdapterUse, Compiled, Job};
use super::queue::{Demand, Permit, Priority, Queue};
use crate::engine;
use memory_limit::available_bytes;

/// How many children may run at once at least, whatever the number of processors: a component
/// that takes long delays no other.
const MIN_CHILDREN: u32 = 4;

/// The most bytes of a component that is compiled within a second or two.
const SMALL_BYTES: u64 = 1 << 20;

/// The memory that a child is expected to need: so much, and so many bytes more for each byte of
/// its component. Large components in Python and JavaScript needed two thirds of it.
const MEMORY_BYTES: u64 = 128 << 20;
const MEMORY_FACTOR: u64 = 32;

/// How components are compiled.
#[derive(Debug)]
pub struct CompilerSettings {
    /// This program, which is started as a child.
    pub program: PathBuf,
    /// The processor time that a component may take, of all threads together.
    pub time: Duration,
    /// How much memory a child may have, in bytes.
    pub memory_bytes: u64,
    /// The nice value of a child: above 0 where requests are served meanwhile.
    pub nice: u8,
    /// Where artefacts are kept. None: they are in memory as long as they are used.
    pub cache: Option<CodeCache>,
}

/// Compiles components, each in a child, and keeps the artefacts.
#[derive(Debug)]
pub struct Compiler {
    launcher: Launcher,
    cache: Option<CodeCache>,
    /// What artefacts depend on beside the job.
    platform: String,
    queue: Arc<Queue>,
}

impl Compiler {
    /// A compiler with these settings.
    ///
    /// # Errors
    ///
    /// Fails if wasmtime cannot be set up on this machine.
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

    /// The artefact of the component of `job`, which `is_new` if no version of its function was
    /// active before. A child that runs is killed if this future is dropped.
    ///
    /// # Errors
    ///
    /// Says why there is none.
    pub async fn compile(&self, job: &Job, is_new: bool) -> Result<Artefact, CompileError> {
        if let Some(found) = self.cached(job).await? {
            return Ok(found);
        }
        let priority = priority(job, is_new);
        let permit = self.queue.permit(self.demand(job), priority).await?;
        // An equal one may have been compiled meanwhile.
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
        let compiled = compiled.ok_or_else(|| io::Error::other("there is no component"))?;
        if let Some((cache, partial)) = self.cache.clone().zip(partial) {
            let adapters = match compiled.adapter {
                Some(_) => AdapterUse::Used,
                None => AdapterUse::Unused,
            };
            let (key, kept) = (self.key(job, adapters), compiled.clone());
            let keep = move || cache.insert(&key, &kept, &partial);
            let done = spawn_blocking(keep).await.map_err(io::Error::other)?;
            done.unwrap_or_else(|error| warn_not_cached(&error));
        }
        Ok(Artefact::new(compiled, file))
    }

    /// What [`compile`](Self::compile) would find out, without an artefact. None if `job` has
    /// no component: the adapters are fit to be used.
    ///
    /// # Errors
    ///
    /// Fails like [`compile`](Self::compile).
    pub async fn check(&self, job: &Job) -> Result<Option<Compiled>, CompileError> {
        let nowhere = File::options().write(true).open("/dev/null")?;
        let priority = priority(job, true);
        let permit = self.queue.permit(self.demand(job), priority).await?;
        self.run(job, &nowhere, permit, priority).await
    }

    /// Does `job` in a child. One that the system kills does it once more when no other runs:
    /// together they may have had more memory than there is.
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

    /// What is kept of `job`. An adapter makes no difference for a component that serves HTTP.
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
    tracing::warn!("compiled code is not kept for the next start: {error}");
}

/// Removes what a child has written before it was killed.
fn truncate(mut output: &File) -> io::Result<()> {
    use std::io::Seek;

    if output.metadata()?.is_file() {
        output.set_len(0)?;
        output.rewind()?;
    }
    Ok(())
}

/// What artefacts depend on beside their inputs: wasmtime, the processor, and this program.
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
