//! Middleware: components in front of a function that receive its requests and may forward them.
//! The compile child composes them.

use compose::{Component, ComponentError, LinkOptions, Report, chain};

use crate::Part;
use crate::adapter::FUNCTION;
use crate::wasi_version::WasiVersion;

/// The interface that middleware for this version of WASI imports and exports.
fn handler(version: WasiVersion) -> &'static str {
    match version {
        WasiVersion::V02 => "wasi:http/incoming-handler",
        WasiVersion::V03 => "wasi:http/handler",
    }
}

/// Why a function cannot be composed with its middleware.
#[derive(Debug, thiserror::Error)]
pub enum MiddlewareError {
    /// A middleware is not a component.
    #[error("the middleware is not a component: {0}")]
    Invalid(#[from] ComponentError),
    /// Imports and exports of the chain do not match.
    #[error("the middleware does not fit: {0}")]
    Incompatible(Report),
}

/// Composes `middleware`, outermost first, with the component in `bytes`, which serves HTTP. All are
/// for the same `version` of WASI. Equal inputs give equal bytes.
///
/// # Errors
///
/// Fails if a middleware does not import and export the handler of this version.
pub(crate) fn wrap(
    middleware: &[Part],
    bytes: Vec<u8>,
    version: WasiVersion,
) -> Result<Vec<u8>, MiddlewareError> {
    let mut parts = Vec::new();
    for Part { name, bytes, .. } in middleware {
        parts.push(Component::new(name, bytes.to_vec())?);
    }
    let function = Component::new(FUNCTION, bytes)?;
    let on = handler(version);
    let plan = chain(on, &parts, &function, &[], &LinkOptions::default());
    let composed = plan.and_then(|plan| plan.encode(parts.iter().chain([&function])));
    Ok(composed.map_err(MiddlewareError::Incompatible)?.bytes)
}
