//! The engine that a component is compiled for.

use serde::{Deserialize, Serialize};
use wasmparser::{Encoding, Parser, Payload, Result};

/// How much WebAssembly code makes a component large, in bytes: a language engine.
const LARGE_CODE_BYTES: u64 = 512 << 10;

/// The engine that a component is compiled for. wasmtime decides for a whole engine how code
/// is compiled and what an instance takes of the pool, so there is one for each kind that a
/// component needs.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EngineKind {
    /// Whether calls between parts of a composition are inlined. For it the compiler keeps
    /// all functions in memory and takes several times as long.
    pub inlines: bool,
    /// Whether there is a garbage collector, for exceptions, `externref`, structs and arrays.
    /// Each instance may have a heap then, which is one more memory of the pool.
    pub has_gc: bool,
}

/// What a component is made of, as far as it decides how it is compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// The number of components in it, or itself, that have code of their own.
    pub(super) parts: u32,
    /// How much WebAssembly code there is, in bytes.
    pub(super) code_bytes: u64,
}

impl Shape {
    /// The shape of the component in `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Result<Self> {
        let mut shape = Self::default();
        // Whether what is being read, and what contains it, is a component with code.
        let mut levels = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding, .. } => {
                    if encoding == Encoding::Module
                        && let Some(has_code) = levels.last_mut()
                    {
                        *has_code = true;
                    }
                    levels.push(false);
                }
                Payload::CodeSectionStart { size, .. } => shape.code_bytes += u64::from(size),
                Payload::End(_) => shape.parts += u32::from(levels.pop() == Some(true)),
                _ => {}
            }
        }
        Ok(shape)
    }

    /// The engine for a component of this shape, with a garbage collector or without. Without
    /// parts there are no calls between them, and a large component would need gigabytes.
    /// Components with a collector share one engine, which does not inline.
    pub(super) fn engine(self, has_gc: bool) -> EngineKind {
        EngineKind {
            inlines: self.parts > 1 && !is_large(self.code_bytes) && !has_gc,
            has_gc,
        }
    }
}

/// Whether a component with so much WebAssembly code is large: its code should be there once.
pub(crate) fn is_large(code_bytes: u64) -> bool {
    code_bytes >= LARGE_CODE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        Shape::of(&wat::parse_str(text).unwrap()).unwrap()
    }

    const MODULE: &str = "(core module (func))";

    #[test]
    fn only_components_with_code_of_their_own_are_parts() {
        let parts = |text: &str| shape(text).parts;
        assert_eq!(parts("(component)"), 0);
        assert_eq!(parts(&format!("(component {MODULE} {MODULE})")), 1);
        // Toolchains put such a component around each export.
        let shim = "(component (import \"f\" (func)))";
        assert_eq!(parts(&format!("(component {MODULE} {shim})")), 1);
        let part = format!("(component {MODULE})");
        assert_eq!(parts(&format!("(component {part})")), 1);
        assert_eq!(parts(&format!("(component {part} {part})")), 2);
        assert_eq!(parts(&format!("(component (component {part} {part}))")), 2);
    }

    #[test]
    fn a_component_is_inlined_if_it_has_parts_and_not_too_much_code_whatever_else_it_has() {
        let data = format!(
            "(core module (memory 9) (data \"{}\"))",
            "x".repeat(600 << 10)
        );
        let part = format!("(component {MODULE})");
        let with_data = shape(&format!("(component {part} {part} (component {data}))"));
        assert!(with_data.code_bytes < 100, "{with_data:?}");
        assert!(with_data.engine(false).inlines);
        assert_eq!(
            with_data.engine(true),
            EngineKind {
                inlines: false,
                has_gc: true,
            }
        );
        assert!(!shape(&part).engine(false).inlines);
        let large = Shape {
            code_bytes: LARGE_CODE_BYTES,
            ..with_data
        };
        assert!(!large.engine(false).inlines);
    }
}
