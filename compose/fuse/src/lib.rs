//! Fuses the parts of a WebAssembly composition into one core module.
//!
//! The crate is separate from `compose`, because it depends on `wasmtime-environ`, an
//! internal crate of wasmtime: it uses wasmtime's own translation of components, so that a
//! fused component copies values exactly as wasmtime would.
//!
//! # Map
//!
//! - `asynchronous`: the error for components of WASI 0.3, and how to go on
//! - `cost`: the core instances, memories and tables of one instance
//! - `flatten/`: a component as a flat list of core instances
//! - `module`: a parsed core module
//! - `shims`: calls through tables that fusion makes unnecessary
//! - `initialization_order`: whether fusion changes the order of initialization
//! - `layout`: the index spaces of the fused module
//! - `core_modules/`: the two core modules
//! - `component/`: the component around them

mod asynchronous;
mod component;
mod core_modules;
mod cost;
mod flatten;
mod initialization_order;
mod layout;
mod module;
mod shims;

use compose::{Component, catch_panic};
use sanitize::line;
use wasmparser::{BinaryReaderError, Validator};

use component::CoreModules;
use core_modules::{code, memories};
use flatten::flatten;
use layout::Layout;
use module::Module;
use shims::Shims;

pub use asynchronous::{AsyncPart, AsyncParts, FusibleParts};
pub use cost::{Cost, cost};

/// A fused component, and the costs before and after.
#[derive(Debug, Clone)]
pub struct Fused {
    /// The component in binary form, valid.
    pub bytes: Vec<u8>,
    /// The cost of an instance of the original component.
    pub before: Cost,
    /// The cost of an instance of the fused component.
    pub after: Cost,
}

/// Why a component cannot be fused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FuseError {
    /// The component uses an unsupported feature, which the value names.
    #[error("cannot be fused: {0}; use the component without fusing")]
    Unsupported(&'static str),
    /// Parts use async functions, streams or futures, as those of WASI 0.3 do.
    #[error("cannot be fused: {}", line(.0))]
    Asynchronous(AsyncParts),
    /// wasmtime cannot flatten the component. Holds the message of wasmtime.
    #[error("cannot be flattened: {}", line(.0))]
    Untranslatable(String),
    /// A core module of the component cannot be parsed.
    #[error("cannot parse one of its core modules: {}", line(.0.message()))]
    Unreadable(BinaryReaderError),
    /// The result is not a valid component.
    #[error("cannot be fused: the result would not be valid: {}", line(.0.message()))]
    Invalid(BinaryReaderError),
}

impl FuseError {
    /// The translation violates an assumption of this crate: it refers to an undefined item.
    fn incomplete() -> Self {
        Self::Untranslatable("the translation refers to an undefined item".to_owned())
    }
}

impl From<wasm_encoder::reencode::Error<FuseError>> for FuseError {
    fn from(error: wasm_encoder::reencode::Error<FuseError>) -> Self {
        use wasm_encoder::reencode::Error;
        match error {
            Error::UserError(error) => error,
            Error::ParseError(error) => Self::Unreadable(error),
            _ => Self::Unsupported("one of its core modules uses an unknown instruction"),
        }
    }
}

/// Fuses all parts of `component` into one core module.
///
/// Imports, exports and behaviour of the result are the same. An instance is cheaper to
/// create, call and reset, because it has two core instances instead of about three per
/// part, and calls between parts are calls within one module.
///
/// **Fusing weakens the isolation of the parts.** Each part keeps its own memory, tables and
/// globals, which no other part can access. But all parts share one table of handles: a
/// hostile or faulty part can use or drop a handle that another part got from the host, if
/// both import that resource. And two errors no longer trap: a call to the host during an
/// allocation in the caller's memory, and a call to an import before the component is fully
/// instantiated.
///
/// Exported types of equal structure may exchange their names.
///
/// Parts that pass resources to each other, define resources, throw exceptions or are
/// asynchronous, as those of WASI 0.3, are not supported.
///
/// # Errors
///
/// Returns a [`FuseError`] that names the unsupported feature, or the error of wasmtime or of
/// the validator.
pub fn fuse(component: &Component) -> Result<Fused, FuseError> {
    if !component.has_bounded_instances() {
        return Err(FuseError::Unsupported("it makes too many instances"));
    }
    if let Some(parts) = AsyncParts::find(component) {
        return Err(FuseError::Asynchronous(parts));
    }
    // wasmtime's translation panics on unknown features.
    let flat = catch_panic(|| flatten(component.bytes()))
        .map_err(|panic| FuseError::Untranslatable(panic.reason))??;
    let modules = flat
        .instances
        .iter()
        .map(|instance| Module::parse(&instance.wasm))
        .collect::<Result<Vec<_>, _>>()
        .map_err(FuseError::Unreadable)?;
    let shims = Shims::find(&flat, &modules).map_err(FuseError::Unreadable)?;
    let layout = Layout::new(&flat, &modules, shims)?;
    initialization_order::check(&layout, &flat, &modules)?;
    let used = component::used_functions(&flat, &layout)?;
    let core_modules = CoreModules {
        memories: memories::encode(&modules, &layout)?,
        code: code::encode(&modules, &layout, &used)?,
    };
    let bytes = component::encode(component.bytes(), &flat, &layout, &core_modules)?;
    Validator::new()
        .validate_all(&bytes)
        .map_err(FuseError::Invalid)?;
    let fused = Component::new("fused", bytes.as_slice())
        .map_err(|error| FuseError::Untranslatable(error.to_string()))?;
    check_item_names(component, &fused)?;
    Ok(Fused {
        bytes,
        before: cost(component).ok_or_else(FuseError::incomplete)?,
        after: cost(&fused).ok_or_else(FuseError::incomplete)?,
    })
}

/// Checks that the fused component has the same imports and exports, with the same items.
fn check_item_names(original: &Component, fused: &Component) -> Result<(), FuseError> {
    if original.item_names() == fused.item_names() {
        Ok(())
    } else {
        Err(FuseError::Unsupported(
            "it exports only a part of an instance",
        ))
    }
}
