//! Compilation of components in child processes.
//!
//! Only a child reads the bytes of a component: composing, validating, checking and compiling. A
//! hostile component can make each of these take minutes or gigabytes, or crash the compiler; in a
//! child with its own limits, requests and other components are not affected. The server only maps
//! the resulting artefact.
//!
//! - `protocol.rs`: [`Job`] and [`Compiled`], request and reply, and their framing.
//! - `child.rs`: the child, from the job to the code.
//! - `process.rs`: start and limits of a child.
//! - `cache.rs`: [`CodeCache`], artefacts for the next start; `folder.rs`: its private folder.
//! - `artefact.rs`: [`Artefact`], compiled code in a file, verified and mapped.
//! - `queue.rs`: priority and concurrency of jobs.
//! - `compiler.rs`: [`Compiler`], the front of all of these; `segments.rs`: [`Chain`], a component behind
//!   middleware, and the segments that it is compiled to.

mod artefact;
mod cache;
mod child;
mod compiler;
mod folder;
mod process;
mod protocol;
mod queue;
mod segments;

pub use artefact::Artefact;
pub use cache::CodeCache;
pub use child::{ChildLimits, compile_child};
pub use compiler::{Compiler, CompilerSettings};
pub use process::clock_limit;
pub use protocol::{AdapterUse, Compiled, Job, Part};
pub use segments::{Chain, Segment};
