//! The limit on nested types, checked before a validator reads them.

use std::ops::Range;

use wasmparser::{Parser, Payload};

use crate::error::LoadError;

/// Limit of component and instance types in one section, each of which may be nested in the one
/// before. Toolchains generate two.
const MAX_NESTED_TYPES: usize = 500;

/// Checks that types of the component in `bytes` are not nested so deeply that readers could
/// overflow their stack.
///
/// # Errors
///
/// Fails if a section has more types than the limit.
pub(crate) fn check_nesting(bytes: &[u8]) -> Result<(), LoadError> {
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ComponentTypeSection(section)) => {
                let range = section.range();
                let (Ok(start), Ok(end)) = (range.start.try_into(), range.end.try_into()) else {
                    break;
                };
                let types: &[u8] = bytes.get::<Range<usize>>(start..end).unwrap_or_default();
                // Each level starts with one of these bytes. Letters of names have the same values,
                // and make the count slightly too large.
                let levels = types.iter().filter(|byte| matches!(byte, 0x41 | 0x42));
                if levels.count() > MAX_NESTED_TYPES {
                    return Err(LoadError::TooDeepTypes);
                }
            }
            Ok(_) => {}
            // The compiler reports the error.
            Err(_) => break,
        }
    }
    Ok(())
}
