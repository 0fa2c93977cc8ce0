//! Components: from their bytes to one instance at work.
//!
//! - `compile/`: [`Compiler`], from bytes to an [`Artefact`], in a child process. `adapter.rs` and
//!   `middleware.rs` compose what it compiles.
//! - `component.rs`: [`CompiledComponent`], from an artefact to a component that can serve.
//! - `world.rs`: imports and exports of a component, which the child checks first; `imports.rs`:
//!   the interfaces that this server provides.
//! - `engine.rs`: the configuration of wasmtime, with its reasons.
//! - `proposals/`: the WebAssembly proposals that decide which engine a component needs.
//! - `runtime.rs`: [`SharedRuntime`], the engine and the pool that many components share.
//! - `state.rs`: the data of one store, which is all that a guest gets; `variable.rs`: its
//!   variables.
//! - `instance_size.rs`: core instances of one instance, and the bytes of their contexts.
//! - `limits.rs`: the limits of an instance.
//! - `host_memory.rs`: bytes that the host keeps for an instance; `host_functions.rs`: the host
//!   functions that keep some, each with its charge.
//! - `error_code.rs`: the errors that a guest gets for a body that breaks off.
//! - `output.rs`: standard output and standard error of guests.
//! - [`audit`]: the capability `runner:audit/audit-log`.
//! - [`outbound`]: the requests that guests send.

mod adapter;
pub mod audit;
mod compile;
mod component;
mod engine;
mod epoch_ticker;
mod error;
mod error_code;
#[cfg(test)]
mod host_function_table;
mod host_functions;
mod host_memory;
mod imports;
mod instance_size;
mod limits;
mod middleware;
pub mod outbound;
mod output;
mod proposals;
mod runtime;
mod state;
mod system_clock;
mod variable;
mod world;

pub use adapter::{AdaptError, AdapterError, NoAdapter};
pub use compile::{
    AdapterUse, Artefact, COMPILE_COMMAND, ChildLimits, CodeCache, CompileError, Compiled,
    Compiler, CompilerSettings, EngineKind, InstanceRequirements, Job, Part, clock_limit,
    compile_child,
};
pub use component::{CompiledComponent, ComponentEnv, digest};
pub use epoch_ticker::{Engines, EpochInterval, EpochTicker};
pub use error::{LoadError, MissingImport};
pub use limits::{GuestLimits, OutOfCpuTime};
pub use middleware::MiddlewareError;
pub use proposals::UnsupportedProposal;
pub use runtime::{PoolLimits, SharedRuntime};
pub use state::State;
pub use system_clock::SystemClock;
pub use variable::Variable;
