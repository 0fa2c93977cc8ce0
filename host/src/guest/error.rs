//! Why a component cannot be served, in words that say what to do about it.

use std::fmt;

use sanitize::line;

use super::compile::CompileError;
use super::proposals::UnsupportedProposal;

/// What is said of a component that wasmtime refuses, before its own words.
pub(super) const INVALID: &str = "this is not a valid component for this server; build it for \
     `wasm32-wasip2`, and copy all of it";

/// Why a component cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no WebAssembly.
    #[error("this is not WebAssembly: it does not start with `\\0asm`")]
    NotWasm,
    /// The bytes are a core module.
    #[error(
        "this is a core module, not a component; build it for the target `wasm32-wasip2`, \
         or make a component of it with `wasm-tools component new`"
    )]
    CoreModule,
    /// wasmtime refuses the component.
    #[error("{INVALID}: {}", line(format_args!("{:#}", .0)))]
    Invalid(wasmtime::Error),
    /// The component uses a proposal that no engine of this server supports.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedProposal),
    /// It was not compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The component does not serve HTTP. Holds what it exports instead.
    #[error(
        "the component does not export `wasi:http/incoming-handler@0.2`, so it cannot serve \
         requests; it exports {}; link it to a component that exports the handler and imports \
         this: `component-compose link HANDLER.wasm --with THIS.wasm -o APP.wasm`",
        list(.0)
    )]
    NoHandler(Vec<String>),
    /// The handler takes or returns something else.
    #[error(
        "the component exports a `wasi:http/incoming-handler` of another type: `handle` must take \
         an `incoming-request` and a `response-outparam` of `wasi:http/types`, and return nothing"
    )]
    OtherHandler,
    /// The component needs what this server does not have.
    #[error(
        "the component imports what this server does not provide: {}; link it to components \
         that export these: `component-compose link THIS.wasm --with PART.wasm -o APP.wasm`",
        joined(.0)
    )]
    MissingImports(Vec<MissingImport>),
    /// The component wants to be given code, not only functions.
    #[error("the component imports a core module, which no server of WASI provides")]
    ImportsModule,
    /// An import has the right name and the wrong type.
    #[error("the component does not fit this server: {}", line(format_args!("{:#}", .0)))]
    Link(wasmtime::Error),
    /// Its memories begin with more than they may become.
    #[error(
        "the component begins with a memory of {needs} bytes, and all memories of an instance \
         may have {limit} together; allow more with `--max-memory`"
    )]
    TooMuchMemory {
        /// Bytes of the largest one.
        needs: u64,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// Its tables begin with more than they may become.
    #[error(
        "the component begins with a table of {needs} elements, and all tables of an instance \
         may have {limit} together; allow more with `--max-table-elements`"
    )]
    TooManyElements {
        /// Elements of the largest one.
        needs: u64,
        /// Elements that are allowed.
        limit: usize,
    },
    /// One instance consists of more core instances than it may.
    #[error(
        "one instance of the component consists of {needs} core instances, at most {limit} are \
         allowed; instantiate fewer core modules, or compose fewer parts"
    )]
    TooManyCoreInstances {
        /// How many it has.
        needs: u64,
        /// How many are allowed.
        limit: u32,
    },
    /// The contexts of its core instances are larger than they may be.
    #[error(
        "the contexts of the {core_instances} core instances of one instance need {needs} bytes, \
         at most {limit} are allowed; use fewer globals, imports and function references, or \
         instantiate fewer core modules"
    )]
    ContextsTooLarge {
        /// Bytes of all of them.
        needs: u64,
        /// How many core instances there are.
        core_instances: u64,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// One instance has more memories or tables than the pool that functions share has for
    /// one.
    #[error(
        "one instance of the component has {memories} memories and {tables} tables, and the pool \
         that functions share has {max_memories} memories and {max_tables} tables for each; allow \
         more with `--max-memories` and `--max-tables`, or link fewer parts"
    )]
    TooManyParts {
        /// The memories that it has.
        memories: u32,
        /// Its tables.
        tables: u32,
        /// The memories that there are for one instance.
        max_memories: u32,
        /// The tables.
        max_tables: u32,
    },
    /// The engine cannot be set up on this machine.
    #[error("wasmtime cannot be set up: {0:#}")]
    Engine(wasmtime::Error),
}

/// What a component imports and nobody provides.
#[derive(Debug)]
pub struct MissingImport {
    /// Its name, with the version.
    pub name: String,
    /// The version of its package that this server provides, if it has any.
    pub provided: Option<&'static str>,
}

impl fmt::Display for MissingImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", line(&self.name))?;
        if let Some(version) = self.provided {
            write!(f, " (this server has the version {version})")?;
        }
        Ok(())
    }
}

fn list(names: &[String]) -> String {
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

/// Tells a component from what is taken for one most often.
pub(super) fn check_kind(bytes: &[u8]) -> Result<(), LoadError> {
    match bytes {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [b'\0', b'a', b's', b'm', ..] => Ok(()),
        _ => Err(LoadError::NotWasm),
    }
}
