//! Extraction of one part, byte for byte.

use super::decompose;
use crate::model::component::Component;
use crate::model::diagnostics::{not_composed, unknown_component, unusable_part};
use crate::model::report::Report;

/// The bytes of the part `name` of `app`, identical to the input that was composed.
///
/// A part of a part is named with a slash: `outer/inner`.
///
/// # Errors
///
/// Returns a report if `app` is not a composition or lacks the part.
pub fn extract(app: &Component, name: &str) -> Result<Vec<u8>, Report> {
    let decomposed = decompose(app).ok_or_else(|| not_composed(app.name()))?;
    if let Some(bytes) = decomposed.parts.get(name) {
        return Ok(bytes.to_vec());
    }
    // A name may contain slashes itself.
    let outer = name.match_indices('/').find_map(|(at, _)| {
        let bytes = decomposed.parts.get(&name[..at])?;
        Some((&name[..at], bytes, &name[at + 1..]))
    });
    match outer {
        Some((outer, bytes, inner)) => {
            let outer = Component::new(outer, *bytes).map_err(|error| unusable_part(&error))?;
            extract(&outer, inner)
        }
        None => Err(unknown_component(name, decomposed.parts.keys()).into()),
    }
}
