//! Compiling components in a child process.
//!
//! Every byte of a component is read in a child: composing, validating, checking and
//! compiling. A hostile component can make each of these take minutes or gigabytes, or break
//! the compiler; in a child with limits of its own, requests and other components go on. The
//! server maps the artefact that comes back, and nothing else.
//!
//! - `protocol.rs`: [`Job`] and [`Compiled`], request and reply, and their framing.
//! - `child.rs`: the child, from the request to the artefact.
//! - `engine_kind.rs`: [`EngineKind`], the engine that a component is compiled for.
//! - `process.rs`: starting a child, its limits, and [`CompileError`].
//! - `cache.rs`: artefacts that are kept for the next start; `folder.rs`: where they are safe.
//! - `artefact.rs`: [`Artefact`], compiled code in a file, verified and mapped.
//! - `queue.rs`: which job is next.
//! - `compiler.rs`: [`Compiler`], all of it together.

mod artefact;
mod cache;
mod child;
mod compiler;
mod engine_kind;
mod folder;
mod process;
mod protocol;
mod queue;

pub use artefact::Artefact;
pub use cache::CodeCache;
pub use child::{ChildLimits, compile_child};
pub use compiler::{Compiler, CompilerSettings};
pub use engine_kind::EngineKind;
pub(super) use engine_kind::is_large;
pub use process::{COMPILE_COMMAND, CompileError, clock_limit};
pub use protocol::{AdapterUse, Compiled, InstanceRequirements, Job, Part};
