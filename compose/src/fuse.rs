//! Fusing: the parts of a composition become one core module.

mod code;
mod constant;
mod flat;
mod head;
mod interface;
mod layout;
mod memories;
mod module;
mod order;
mod outside;
mod shims;
mod translation;
mod types;
mod utf8;

use std::collections::BTreeSet;

use sanitize::line;
use wac_types::ItemKind;
use wasmparser::{BinaryReaderError, Validator};

use crate::component::Component;
use crate::cost::{Cost, cost};
use crate::expansion::is_bounded;
use crate::guard::guard;
use layout::Layout;
use module::Module;
use outside::Modules;
use shims::Shims;
use translation::flatten;

/// A fused component, and what fusing it was worth.
#[derive(Debug, Clone)]
pub struct Fused {
    /// The component in binary form, valid.
    pub bytes: Vec<u8>,
    /// What an instance of the original consists of.
    pub before: Cost,
    /// What an instance of the fused component consists of.
    pub after: Cost,
}

/// Why a component cannot be fused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FuseError {
    /// The component uses what fusing does not cover. Holds what.
    #[error("it cannot be fused: {0}; it runs as it is")]
    Unsupported(&'static str),
    /// wasmtime cannot flatten the component. Holds what wasmtime says.
    #[error("it cannot be flattened: {}", line(.0))]
    Untranslatable(String),
    /// A core module of the component cannot be read.
    #[error("one of its core modules cannot be read: {}", line(.0.message()))]
    Unreadable(BinaryReaderError),
    /// What came out is not a valid component.
    #[error("it cannot be fused: the result would not be valid: {}", line(.0.message()))]
    Invalid(BinaryReaderError),
}

impl FuseError {
    /// The translation refers to what it does not define: it is not what this
    /// module takes it for.
    fn incomplete() -> Self {
        Self::Untranslatable("the translation refers to what it does not define".to_owned())
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

/// Makes one core module of all parts of `component`.
///
/// The result imports and exports the same, and does the same. An instance of it
/// is cheaper to make, to call and to clear, because there are two core instances
/// instead of about three for each part, and a call from part to part is a call
/// within one module.
///
/// **Some isolation between the parts is given up.** Each part keeps its own
/// memory, tables and globals, and no other part can reach them. But the handles
/// of all parts are in one table: a part that is hostile, or wrong, can use or
/// drop a handle that another part got from the host, if both import that
/// resource. And two mistakes no longer trap: a part that calls the host while
/// another allocates in its memory, and one that calls an import before all of
/// the component has been made.
///
/// Of exported types that are equal in structure, one name may stand for the
/// other.
///
/// Parts that hand each other resources cannot be fused, nor can those that
/// define resources, throw exceptions or are asynchronous.
///
/// # Errors
///
/// Says what keeps the component from being fused.
pub fn fuse(component: &Component) -> Result<Fused, FuseError> {
    if !is_bounded(component) {
        return Err(FuseError::Unsupported("it makes too many instances"));
    }
    // wasmtime's translation asserts where it meets what it does not know.
    let flat = guard(|| flatten(component.bytes()))
        .map_err(|panic| FuseError::Untranslatable(panic.reason))??;
    let modules = flat
        .instances
        .iter()
        .map(|instance| Module::parse(&instance.wasm))
        .collect::<Result<Vec<_>, _>>()
        .map_err(FuseError::Unreadable)?;
    let shims = Shims::find(&flat, &modules).map_err(FuseError::Unreadable)?;
    let layout = Layout::new(&flat, &modules, shims)?;
    let used = outside::used_functions(&flat, &layout)?;
    let parts = Modules {
        memories: memories::encode(&modules, &layout)?,
        code: code::encode(&modules, &layout, &used)?,
    };
    let bytes = outside::encode(component.bytes(), &flat, &layout, &parts)?;
    Validator::new()
        .validate_all(&bytes)
        .map_err(FuseError::Invalid)?;
    let fused = Component::new("fused", bytes.as_slice())
        .map_err(|error| FuseError::Untranslatable(error.to_string()))?;
    check_outside(component, &fused)?;
    Ok(Fused {
        bytes,
        before: cost(component).ok_or_else(FuseError::incomplete)?,
        after: cost(&fused).ok_or_else(FuseError::incomplete)?,
    })
}

/// Checks that nothing was lost or added that can be seen from outside.
fn check_outside(original: &Component, fused: &Component) -> Result<(), FuseError> {
    if surface(original) == surface(fused) {
        Ok(())
    } else {
        Err(FuseError::Unsupported(
            "it exports less of an instance than that has",
        ))
    }
}

/// The imports and exports, each with the names within.
fn surface(component: &Component) -> BTreeSet<(bool, &str, Option<&str>)> {
    let world = component.world();
    let imports = world.imports.iter().map(|item| (false, item));
    let exports = world.exports.iter().map(|item| (true, item));
    let mut surface = BTreeSet::new();
    for (is_export, (name, kind)) in imports.chain(exports) {
        surface.insert((is_export, name.as_str(), None));
        if let ItemKind::Instance(interface) = kind {
            for inner in component.types()[*interface].exports.keys() {
                surface.insert((is_export, name.as_str(), Some(inner.as_str())));
            }
        }
    }
    surface
}
