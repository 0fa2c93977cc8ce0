//! Components in front of a function: each gets the requests, and passes on what it likes.

use compose::{Component, ComponentError, LinkOptions, Report, chain};

use super::place::Place;
use super::read::ReadError;

/// The interface that all of them import and export.
const HANDLER: &str = "wasi:http/incoming-handler";

/// What the function is called within the chain.
const FUNCTION: &str = "function";

/// Why a function cannot be served behind its middleware.
#[derive(Debug, thiserror::Error)]
pub enum MiddlewareError {
    /// One of them cannot be read.
    #[error("the middleware cannot be read: {0}")]
    Read(#[from] ReadError),
    /// One of them is no component.
    #[error("the middleware is none: {0}")]
    Invalid(#[from] ComponentError),
    /// They do not fit together.
    #[error("the middleware does not fit: {0}")]
    Refused(Report),
}

/// Puts the components in these places in front of the one in `bytes`, which serves HTTP,
/// the first of them outermost. Equal inputs give equal bytes.
///
/// # Errors
///
/// Fails if one of them does not import and export `wasi:http/incoming-handler`.
pub(super) fn put_in_front(
    places: &[Place],
    bytes: Vec<u8>,
    max_bytes: u64,
) -> Result<Vec<u8>, MiddlewareError> {
    let mut parts = Vec::new();
    for place in places {
        parts.push(Component::new(place.stem(), place.read(None, max_bytes)?)?);
    }
    let function = Component::new(FUNCTION, bytes)?;
    let plan = chain(HANDLER, &parts, &function, &[], &LinkOptions::default());
    let composed = plan.and_then(|plan| plan.encode(parts.iter().chain([&function])));
    Ok(composed.map_err(MiddlewareError::Refused)?.bytes)
}
