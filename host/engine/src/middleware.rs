//! Components in front of a function: each gets the requests, and passes on what it likes. A
//! compile child composes them.

use compose::{Component, ComponentError, LinkOptions, Report, chain};

use crate::Part;

/// The interface that all of them import and export.
const HANDLER: &str = "wasi:http/incoming-handler";

/// What the function is called within the chain.
const FUNCTION: &str = "function";

/// Why a function cannot be served behind its middleware.
#[derive(Debug, thiserror::Error)]
pub enum MiddlewareError {
    /// One of them is not a component.
    #[error("the middleware is not a component: {0}")]
    Invalid(#[from] ComponentError),
    /// They do not fit together.
    #[error("the middleware does not fit: {0}")]
    Incompatible(Report),
}

/// Puts these components in front of the one in `bytes`, which serves HTTP, the first of them
/// outermost. Equal inputs give equal bytes.
///
/// # Errors
///
/// Fails if one of them does not import and export `wasi:http/incoming-handler`.
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
