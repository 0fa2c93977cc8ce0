//! Extracting: a part of a composition, as it went in.

use crate::component::{Component, ComponentError};
use crate::decompose::decompose;
use crate::plan::unknown_component;
use crate::report::{Code, Diagnostic, Report};

/// The bytes of the part `name` of `app`, exactly as they were when it was composed.
///
/// A part of a part is named with a slash: `outer/inner`.
///
/// # Errors
///
/// Returns a report if `app` is not a composition or has no such part.
pub fn extract(app: &Component, name: &str) -> Result<Vec<u8>, Report> {
    let decomposed = decompose(app).ok_or_else(|| not_composed(app.name()))?;
    if let Some(bytes) = decomposed.parts.get(name) {
        return Ok(bytes.to_vec());
    }
    // A name may have slashes of its own.
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

pub(crate) fn not_composed(name: &str) -> Diagnostic {
    Diagnostic::error(
        Code::UnknownComponent,
        format!("`{name}` is not a composition: it has no parts"),
        "name a component that was composed",
    )
}

pub(crate) fn unusable_part(error: &ComponentError) -> Diagnostic {
    Diagnostic::error(
        Code::NotEncodable,
        error.to_string(),
        "compose it again from parts that are valid by themselves",
    )
}
