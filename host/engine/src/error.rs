//! Errors of loading a component, each with its remedy.

use std::process::ExitStatus;
use std::time::Duration;
use std::{fmt, io};

use sanitize::line;

use super::proposals::UnsupportedProposal;
use super::segment_name::SegmentName;
use super::wasi_version::WasiVersion;

/// Why a component cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is empty.
    #[error("this is an empty file, expected a component; build or copy it again")]
    Empty,
    /// The file is text.
    #[error(
        "this is text, not a component; if it is WAT, assemble it with `wasm-tools parse`, and if \
         it is source code, build it for the target `wasm32-wasip2`"
    )]
    Text,
    /// The file has another known format.
    #[error("this is not WebAssembly but {what}; {remedy}")]
    OtherFormat {
        /// Name of the format.
        what: &'static str,
        /// Remedy.
        remedy: &'static str,
    },
    /// The file is not WebAssembly.
    #[error(
        "this is not WebAssembly: it does not start with `\\0asm`; build or copy the component again"
    )]
    NotWasm,
    /// The file is a core module.
    #[error(
        "this is a core module, not a component; build it for the target `wasm32-wasip2`, \
         or make a component of it with `wasm-tools component new`"
    )]
    CoreModule,
    /// The binary format has an unsupported version.
    #[error(
        "this is a component in version {0} of the binary format, and this server reads version \
         {COMPONENT_VERSION}; build it with current tools"
    )]
    OtherVersion(u16),
    /// Types are nested too deeply.
    #[error(
        "the types of the component are nested too deeply; \
         build it with fewer levels of types"
    )]
    TooDeepTypes,
    /// The component is a WIT package.
    #[error(
        "this is a WIT package, not a component: it describes interfaces and contains no code; \
         build a component of a world in it, and give that to the server"
    )]
    WitPackage,
    /// The component is for a draft of WASI 0.3, in an unknown form. Contains an interface of it.
    #[error(
        "this is a component for a draft of WASI 0.3, as its interface `{}` shows; build it with a \
         toolchain for WASI 0.3.0 or later",
        line(.0)
    )]
    Draft(String),
    /// The component is a command. Contains the interface that it exports.
    #[error(
        "this is a command, a program that runs once, as it exports `{}`, and does not serve \
         requests; run it with `wasmtime run`, or build it so that it exports \
         `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`",
        line(.0)
    )]
    Command(String),
    /// The component is a middleware. Contains the handler that it imports.
    #[error(
        "this is a middleware without a next handler: it forwards requests to `{}`, which it \
         imports; put it in front of a component that serves HTTP: `component-compose chain --on {} \
         -o APP.wasm THIS.wasm -- NEXT.wasm`, or name it as `middleware` of a function",
        line(.0), line(.0.split('@').next().unwrap_or_default())
    )]
    Middleware(String),
    /// A middleware has no next handler.
    #[error(
        "the middleware never forwards a request: it does not import the handler that it exports; name \
         only middleware as `middleware`, or use it as a component of its own"
    )]
    NoNext,
    /// The component is invalid.
    #[error(
        "this is not a valid component for this server; build it again, or copy all of it: {}",
        line(format_args!("{:#}", .0))
    )]
    Invalid(wasmtime::Error),
    /// The component uses an unsupported proposal.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedProposal),
    /// Compilation failed.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The component does not export the HTTP handler. Contains its exports.
    #[error(
        "the component exports neither `wasi:http/incoming-handler@0.2` nor `wasi:http/handler@0.3`, so \
         it cannot serve requests; it exports {}; {}",
        list(.0), no_handler_remedy(.0)
    )]
    NoHandler(Vec<String>),
    /// The handler has another type.
    #[error(
        "the component exports a handler of another type: `handle` of `wasi:http/incoming-handler@0.2` \
         takes an `incoming-request` and a `response-outparam` of `wasi:http/types`, and returns \
         nothing; that of `wasi:http/handler@0.3` is asynchronous"
    )]
    OtherHandler,
    /// Missing imports.
    #[error(
        "the component imports interfaces that this server does not provide: {}; link it to components \
         that export these: `component-compose link THIS.wasm --with PART.wasm -o APP.wasm`",
        joined(.0)
    )]
    MissingImports(Vec<MissingImport>),
    /// The component imports a core module or a component.
    #[error(
        "the component imports a core module or a component, which WASI hosts do not provide; \
         embed that in the component"
    )]
    ImportsModule,
    /// An import has another type than that of this server.
    #[error(
        "the component does not fit this server, which provides WASI 0.2.12 and 0.3.0: {}; build it for \
         one of these, or an older one of 0.2",
        line(format_args!("{:#}", .0))
    )]
    Link(wasmtime::Error),
    /// The initial memory exceeds the limit.
    #[error(
        "the component has an initial memory of {needs} bytes, and all memories of an instance \
         may have {limit} together; allow more with `--max-memory`"
    )]
    TooMuchMemory {
        /// Initial size of the largest memory, in bytes.
        needs: u64,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The initial tables exceed the limit.
    #[error(
        "the component has an initial table of {needs} elements, and all tables of an instance \
         may have {limit} together; allow more with `--max-table-elements`"
    )]
    TooManyElements {
        /// Initial size of the largest table, in elements.
        needs: u64,
        /// The limit, in elements.
        limit: usize,
    },
    /// An instance has too many core instances.
    #[error(
        "one instance of the component consists of {needs} core instances, at most {limit} are \
         allowed; instantiate fewer core modules, or compose fewer parts"
    )]
    TooManyCoreInstances {
        /// Number of core instances.
        needs: u64,
        /// The limit.
        limit: u32,
    },
    /// The contexts of the core instances of an instance are too large.
    #[error(
        "the contexts of the {core_instances} core instances of one instance need {needs} bytes, \
         at most {limit} are allowed; use fewer globals, imports and function references, or \
         instantiate fewer core modules"
    )]
    ContextsTooLarge {
        /// Size of all contexts, in bytes.
        needs: u64,
        /// Number of core instances.
        core_instances: u64,
        /// The limit, in bytes.
        limit: usize,
    },
    /// An instance has more memories or tables than the shared pool has for one.
    #[error(
        "one instance of the component has {memories} memories and {tables} tables, and the pool \
         that functions share has {max_memories} memories and {max_tables} tables for each; allow \
         more with `--max-memories` and `--max-tables`, or link fewer parts"
    )]
    TooManyParts {
        /// Number of its memories.
        memories: u32,
        /// Number of its tables.
        tables: u32,
        /// Limit of memories per instance.
        max_memories: u32,
        /// Limit of tables per instance.
        max_tables: u32,
    },
    /// An instance has more parts with concurrent tasks than the shared pool has stacks for.
    #[error(
        "one instance of the component has {parts} parts whose tasks run concurrently, and the pool \
         that functions share has stacks for {limit}; allow more with `--max-memories`, or link fewer \
         parts"
    )]
    TooManyConcurrentParts {
        /// Number of its parts.
        parts: u32,
        /// Limit of parts per instance.
        limit: u32,
    },
    /// wasmtime does not support this machine.
    #[error("cannot set up wasmtime: {0:#}")]
    Engine(wasmtime::Error),
}

fn no_handler_remedy(exports: &[String]) -> &'static str {
    if exports.is_empty() {
        "build it for a world that exports the handler, such as `wasi:http/proxy`"
    } else {
        "link it to a component that exports the handler and imports this: `component-compose link \
         HANDLER.wasm --with THIS.wasm -o APP.wasm`"
    }
}

/// Quoted names, safe to print.
pub(crate) fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let quoted: Vec<_> = names
        .iter()
        .map(|name| format!("`{}`", line(name)))
        .collect();
    quoted.join(", ")
}

fn joined(imports: &[MissingImport]) -> String {
    let shown: Vec<_> = imports.iter().map(ToString::to_string).collect();
    shown.join(", ")
}

/// The version of the binary format of components.
const COMPONENT_VERSION: u16 = 0x0d;

/// Formats that are mistaken for components: magic bytes, name, and remedy.
const OTHER_FORMATS: [(&[u8], &str, &str); 5] = [
    (
        b"\x7fELF",
        "native code",
        "give the component that it was compiled from: what `wasmtime compile` makes runs in \
         `wasmtime` only",
    ),
    (b"\x1f\x8b", "a compressed file (gzip)", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "a compressed file (zstd)", "unpack it"),
    (
        b"PK\x03\x04",
        "an archive (zip)",
        "unpack it, and give the component in it",
    ),
    (
        b"!<arch>\n",
        "a library of object files",
        "link it for the target `wasm32-wasip2`",
    ),
];

/// Checks by the first bytes that the file is a component.
///
/// # Errors
///
/// Names the format of the file.
pub(super) fn check_format(bytes: &[u8]) -> Result<(), LoadError> {
    let is_text = || !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok();
    match *bytes {
        [] => Err(LoadError::Empty),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [b'\0', b'a', b's', b'm', low, high, 1, 0, ..] => match u16::from_le_bytes([low, high]) {
            COMPONENT_VERSION => Ok(()),
            other => Err(LoadError::OtherVersion(other)),
        },
        // A truncated header or an unknown version: the compiler reports it.
        [b'\0', b'a', b's', b'm', ..] => Ok(()),
        _ => {
            let mut formats = OTHER_FORMATS.iter();
            match formats.find(|(magic, ..)| bytes.starts_with(magic)) {
                Some(&(_, what, remedy)) => Err(LoadError::OtherFormat { what, remedy }),
                None if is_text() => Err(LoadError::Text),
                None => Err(LoadError::NotWasm),
            }
        }
    }
}

/// An import of a component that this server does not provide.
#[derive(Debug)]
pub struct MissingImport {
    /// Name with version.
    pub name: String,
    /// The version of the package that this server provides, if it is another one.
    pub provided: Option<String>,
}

impl fmt::Display for MissingImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", line(&self.name))?;
        if let Some(version) = &self.provided {
            write!(f, " (this server provides version {version})")?;
        }
        Ok(())
    }
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The child cannot be started or reached, or the artefact cannot be written.
    #[error("cannot run the compiler: {0}")]
    Run(#[from] io::Error),
    /// CPU time limit exceeded.
    #[error(
        "compiling takes more than {} s of CPU time; allow more with `--compile-timeout`",
        .0.as_secs_f64()
    )]
    TimedOut(Duration),
    /// Wall time limit exceeded.
    #[error(
        "compiling takes more than {} s by the clock, the limit for a busy machine; allow more with \
         `--compile-timeout`, of which it is a multiple",
        .0.as_secs_f64()
    )]
    TimedOutByClock(Duration),
    /// Memory limit exceeded.
    #[error(
        "compiling takes more than {0} bytes of memory; allow more with `--max-compile-memory`"
    )]
    OutOfMemory(u64),
    /// The system killed the child, although no other ran.
    #[error(
        "the compiler was killed by the system, which happens when the machine or the control \
         group of the server runs out of memory; raise its memory limit"
    )]
    Killed,
    /// The compiler panicked.
    #[error(
        "the compiler failed at this component, which is a bug in the compiler: {}; build the \
         component another way, for example without optimisation, and report the bug",
        sanitize::line(.0)
    )]
    Panicked(String),
    /// The child ended abnormally.
    #[error("the compiler failed with {status}, a bug or a hostile component: {}", sanitize::line(.message))]
    Crashed {
        /// Exit status of the child.
        status: ExitStatus,
        /// Standard error of the child.
        message: String,
    },
    /// The handlers of the middleware and the component have these versions of WASI. They are
    /// compiled one by one ([`Compiler::compile_chain`](crate::Compiler::compile_chain)).
    #[error("the middleware and the component are for different versions of WASI: {0:?}")]
    Mixed(Vec<WasiVersion>),
    /// One of several segments was not compiled.
    #[error("{name}")]
    Segment {
        /// The segment.
        name: SegmentName,
        /// The reason.
        source: Box<CompileError>,
    },
    /// The component is rejected, with the reason.
    #[error("{0}")]
    Rejected(String),
    /// The artefact cannot be loaded.
    #[error("cannot load compiled code: {0:#}")]
    Load(wasmtime::Error),
}
