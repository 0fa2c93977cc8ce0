//! WebAssembly proposals of a component, as far as they select its engine.
//!
//! - this file: the proposals, and their support.
//! - `scan.rs`: detection in core modules; `component.rs`: in the component model.
//!
//! All other proposals that wasmtime enables by default have no cost for instances that do not use
//! them, and are enabled in each engine.

mod component;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

/// A proposal that not every engine of this server supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proposal {
    /// Exceptions (`try_table`, `throw`), which are GC objects.
    Exceptions,
    /// Structs, arrays, `i31ref` and subtypes.
    GarbageCollection,
    /// `externref`, a reference into the GC heap.
    ExternRef,
    /// Exceptions before their standardization (`try`, `catch`, `rethrow`).
    LegacyExceptions,
    /// A memory shared by threads.
    SharedMemory,
    SharedEverythingThreads,
    StackSwitching,
    WideArithmetic,
    CustomPageSizes,
    MemoryControl,
    CustomDescriptors,
    /// `async`, `stream`, `future`: the ABI of WASI 0.3.
    ComponentAsync,
    ComponentStackfulAsync,
    ComponentThreads,
    /// The canonical ABI for GC objects.
    ComponentGc,
    ComponentErrorContext,
    ComponentMap,
    ComponentFixedLengthList,
}

impl Proposal {
    /// Whether an engine with a garbage collector supports it.
    fn needs_gc(self) -> bool {
        matches!(
            self,
            Self::Exceptions | Self::GarbageCollection | Self::ExternRef
        )
    }

    /// Remedy, where no engine of this server supports it.
    fn remedy(self) -> &'static str {
        match self {
            Self::LegacyExceptions => {
                "compile it with `-mllvm -wasm-use-legacy-eh=false`, or translate it with \
                 `wasm-opt --translate-to-exnref`"
            }
            Self::SharedMemory | Self::SharedEverythingThreads | Self::ComponentThreads => {
                "build it without threads"
            }
            Self::ComponentStackfulAsync => {
                "build it with a toolchain that exports async functions with a callback, such as \
                 wit-bindgen"
            }
            _ => "build it without",
        }
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exceptions => "exception handling",
            Self::GarbageCollection => "garbage collection",
            Self::ExternRef => "externref (reference types)",
            Self::LegacyExceptions => "legacy exception handling",
            Self::SharedMemory => "a shared memory (threads)",
            Self::SharedEverythingThreads => "shared-everything threads",
            Self::StackSwitching => "stack switching",
            Self::WideArithmetic => "wide arithmetic",
            Self::CustomPageSizes => "custom page sizes",
            Self::MemoryControl => "memory control",
            Self::CustomDescriptors => "custom descriptors",
            Self::ComponentAsync => "async functions of the component model (WASI 0.3)",
            Self::ComponentGc => "the GC ABI of the component model",
            Self::ComponentStackfulAsync => {
                "async functions without a callback, of the component model"
            }
            Self::ComponentThreads => "threads of the component model",
            Self::ComponentErrorContext => "error contexts of the component model",
            Self::ComponentMap => "maps of the component model",
            Self::ComponentFixedLengthList => "fixed-length lists of the component model",
        })
    }
}

/// A component uses an unsupported proposal.
#[derive(Debug, thiserror::Error)]
#[error("the component uses {}, which this server does not support; {}", .0, .0.remedy())]
pub struct UnsupportedProposal(Proposal);

/// The proposals of a component.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Proposals(BTreeSet<Proposal>);

impl Proposals {
    /// Detects the proposals of the component in `bytes`, in one pass. Invalid bytes are read as
    /// far as possible: the compiler reports the error.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut proposals = Self::default();
        let _ = proposals.scan(bytes);
        proposals
    }

    /// Checks that an engine of this server supports all of them.
    ///
    /// # Errors
    ///
    /// Fails for an unsupported proposal.
    pub(super) fn check(&self) -> Result<(), UnsupportedProposal> {
        let is_unsupported =
            |proposal: &&Proposal| !proposal.needs_gc() && **proposal != Proposal::ComponentAsync;
        match self.0.iter().find(is_unsupported) {
            Some(proposal) => Err(UnsupportedProposal(*proposal)),
            None => Ok(()),
        }
    }

    /// Whether the engine needs a garbage collector.
    pub(super) fn require_gc(&self) -> bool {
        self.0.iter().any(|proposal| proposal.needs_gc())
    }

    /// Whether the engine needs to run tasks of one instance concurrently.
    pub(super) fn require_concurrency(&self) -> bool {
        self.0.contains(&Proposal::ComponentAsync)
    }
}
