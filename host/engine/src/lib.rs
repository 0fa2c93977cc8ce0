//! Execution of components, from their bytes to running instances.
//!
//! - `compile/`: [`Compiler`], from bytes to an [`Artefact`], in a child process. `adapter.rs` and
//!   `middleware.rs` compose the component before.
//! - `component.rs`: [`CompiledComponent`], from an artefact to a component ready for
//!   instantiation.
//! - `handler.rs`: [`Handler`], the HTTP handler of an instance, and [`Call`], a request for it.
//! - `next.rs`: [`NextHandler`], the next handler of a middleware in a store of its own;
//!   `handler_imports.rs`: the imports of the middleware.
//! - `segment_name.rs`: [`SegmentName`], the parts of a function that run in one store.
//! - `world.rs`: imports and exports of a component, which the child checks first, and the version of
//!   WASI that they imply ([`WasiVersion`]); `imports.rs`: the interfaces that this server provides.
//! - `error.rs`: errors of loading, and formats of other files; `digest.rs`: digests of components.
//! - `engine.rs`: configuration of wasmtime, with its reasons; `epoch_ticker.rs`: time slices;
//!   `engine_kind.rs`: [`EngineKind`], the engine that a component is compiled for, which
//!   `compile/child.rs` chooses; `linker.rs`: what guests can import.
//! - `proposals/`: the WebAssembly proposals that select the engine of a component.
//! - `runtime.rs`: [`SharedRuntime`], the engine and the pool that many components share.
//! - `state.rs`: the data of a store, with all capabilities of a guest; `variable.rs`: its
//!   variables.
//! - `instance_size/`: core instances of an instance, and the bytes of their contexts.
//! - `limits.rs`: limits of an instance; `requirements.rs`: its initial resources.
//! - `host_memory.rs`: bytes that the host retains for an instance; `host_functions.rs`: the host
//!   functions that retain some, with their charges, and `host_functions_03.rs` those of WASI 0.3.
//! - `error_code.rs`: error codes of aborted bodies for guests; `system_clock.rs`: their wall clock.
//! - `output.rs`: standard output and standard error of guests.
//! - [`audit`]: the capability `runner:audit/audit-log`.
//! - [`outbound`]: outbound requests of guests.

mod adapter;
pub mod audit;
mod compile;
mod component;
mod digest;
mod engine;
mod engine_kind;
mod epoch_ticker;
mod error;
mod error_code;
mod handler;
mod handler_imports;
#[cfg(test)]
mod host_function_table;
mod host_functions;
mod host_functions_03;
mod host_memory;
mod imports;
mod instance_size;
mod limits;
mod linker;
mod middleware;
mod next;
pub mod outbound;
mod output;
mod proposals;
mod requirements;
mod runtime;
mod segment_name;
mod state;
mod system_clock;
mod variable;
mod wasi_version;
mod world;

pub use adapter::{AdaptError, AdapterError, NoAdapter};
pub use compile::{
    AdapterUse, Artefact, Chain, ChildLimits, CodeCache, Compiled, Compiler, CompilerSettings, Job,
    Part, Segment, clock_limit, compile_child,
};
pub use component::{CompiledComponent, ComponentEnv};
pub use digest::digest;
pub use engine_kind::EngineKind;
pub use epoch_ticker::{Engines, EpochInterval, EpochTicker};
pub use error::{CompileError, LoadError, MissingImport};
pub use handler::{Call, Handler, ResponseHead, has_no_body};
pub use limits::{GuestLimits, OutOfCpuTime};
pub use middleware::MiddlewareError;
pub use next::{NextCall, NextHandler};
pub use proposals::UnsupportedProposal;
pub use requirements::InstanceRequirements;
pub use runtime::{PoolLimits, SharedRuntime};
pub use segment_name::SegmentName;
pub use state::State;
pub use system_clock::SystemClock;
pub use variable::Variable;
pub use wasi_version::WasiVersion;
