//! Why a component cannot be served, in words that say what to do about it.

use sanitize::line;

use super::compile::CompileError;
pub use super::imports::MissingImport;
use super::proposals::UnsupportedProposal;

/// Why a component cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There are no bytes.
    #[error("this is an empty file, expected a component; build or copy it again")]
    Empty,
    /// The bytes are text.
    #[error(
        "this is text, not a component; if it is WAT, assemble it with `wasm-tools parse`, and if \
         it is source code, build it for the target `wasm32-wasip2`"
    )]
    Text,
    /// The bytes are something else that is known. Holds what it is and what to do.
    #[error("this is not WebAssembly but {what}; {remedy}")]
    OtherFormat {
        /// What it is.
        what: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The bytes are no WebAssembly.
    #[error(
        "this is not WebAssembly: it does not start with `\\0asm`; build or copy the component again"
    )]
    NotWasm,
    /// The bytes are a core module.
    #[error(
        "this is a core module, not a component; build it for the target `wasm32-wasip2`, \
         or make a component of it with `wasm-tools component new`"
    )]
    CoreModule,
    /// The binary format has another version.
    #[error(
        "this is a component in version {0} of the binary format, and this server reads version \
         {COMPONENT_VERSION}; build it with current tools"
    )]
    OtherVersion(u16),
    /// Types are nested deeper than they can be followed.
    #[error(
        "the component has types that are nested, or made of others, too deep to be followed; \
         build it with fewer levels of types"
    )]
    TooDeepTypes,
    /// The component only describes interfaces.
    #[error(
        "this is a WIT package, not a component: it describes interfaces, but contains no code; \
         build a component of a world in it, and give that to the server"
    )]
    WitPackage,
    /// The component is one for WASI 0.3. Holds an interface that says so.
    #[error(
        "this is a component for WASI 0.3, which it shows by `{}`, and this server serves WASI \
         0.2; build it for WASI 0.2, so that it exports `wasi:http/incoming-handler@0.2`",
        line(.0)
    )]
    Wasi03(String),
    /// The component is a program. Holds the interface that makes it one.
    #[error(
        "this is a command, a program that runs once, as it exports `{}`, and does not serve \
         requests; run it with `wasmtime run`, or build it so that it exports \
         `wasi:http/incoming-handler@0.2`",
        line(.0)
    )]
    Command(String),
    /// The component passes requests on. Holds the import that it passes them to.
    #[error(
        "this is a middleware without anything behind it: it passes requests on to `{}`, which it \
         imports; put it in front of a component that serves HTTP: `component-compose chain --on \
         wasi:http/incoming-handler -o APP.wasm THIS.wasm -- NEXT.wasm`, or name it as \
         `middleware` of a function",
        line(.0)
    )]
    Middleware(String),
    /// wasmtime refuses the component.
    #[error(
        "this is not a valid component for this server; build it again, or copy all of it: {}",
        line(format_args!("{:#}", .0))
    )]
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
         requests; it exports {}; {}",
        list(.0), no_handler_remedy(.0)
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
    #[error(
        "the component imports a core module or a component, which no server of WASI provides; \
         build it with that inside"
    )]
    ImportsModule,
    /// An import has the right name and the wrong type.
    #[error(
        "the component does not fit this server, which provides WASI 0.2.12: {}; build it for that \
         version or an older one of 0.2",
        line(format_args!("{:#}", .0))
    )]
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

fn no_handler_remedy(exports: &[String]) -> &'static str {
    if exports.is_empty() {
        "build it for a world that exports the handler, such as `wasi:http/proxy`"
    } else {
        "link it to a component that exports the handler and imports this: `component-compose link \
         HANDLER.wasm --with THIS.wasm -o APP.wasm`"
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

/// The version of the binary format of components.
const COMPONENT_VERSION: u16 = 0x0d;

/// What is taken for a component, by its first bytes, and what to do about it.
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

/// Tells a component from other files by its first bytes.
///
/// # Errors
///
/// Says what the file is instead.
pub(super) fn check_format(bytes: &[u8]) -> Result<(), LoadError> {
    let is_text = || !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok();
    match *bytes {
        [] => Err(LoadError::Empty),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [b'\0', b'a', b's', b'm', low, high, 1, 0, ..] => match u16::from_le_bytes([low, high]) {
            COMPONENT_VERSION => Ok(()),
            other => Err(LoadError::OtherVersion(other)),
        },
        // Cut short, or nothing that there is: the compiler says what.
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
