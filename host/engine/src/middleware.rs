//! Middleware: components in front of a function that receive its requests and may forward them.
//! The compile child composes them.

use compose::{Component, ComponentError, LinkOptions, Report, chain};

use crate::Part;
use crate::adapter::FUNCTION;

/// The interface that middleware imports and exports.
const HANDLER: &str = "wasi:http/incoming-handler";

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

/// Composes `middleware`, outermost first, with the component in `bytes`, which serves HTTP. Equal
/// inputs give equal bytes.
///
/// # Errors
///
/// Fails if a middleware does not import and export `wasi:http/incoming-handler`.
pub(crate) fn wrap(middleware: &[Part], bytes: Vec<u8>) -> Result<Vec<u8>, MiddlewareError> {
    let mut parts = Vec::new();
    for Part { name, bytes, .. } in middleware {
        parts.push(Component::new(name, bytes.to_vec())?);
    }
    let function = Component::new(FUNCTION, bytes)?;
    let plan = chain(HANDLER, &parts, &function, &[], &LinkOptions::default());
    let composed = plan.and_then(|plan| plan.encode(parts.iter().chain([&function])));
    Ok(composed.map_err(MiddlewareError::Incompatible)?.bytes)
}
