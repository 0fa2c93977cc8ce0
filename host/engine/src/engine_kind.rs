//! The engine that a component is compiled for.

use serde::{Deserialize, Serialize};
use wasmparser::{Encoding, Parser, Payload, Result};

/// Code size from which a component is large, in bytes: it contains a language runtime.
const LARGE_CODE_BYTES: u64 = 512 << 10;

/// The engine that a component is compiled for. wasmtime decides for a whole engine how code
/// is compiled and what an instance takes of the pool, so there is one for each kind that a
/// component needs.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EngineKind {
    /// Whether calls between components of a composition are inlined. With inlining, the compiler
    /// keeps all functions in memory and takes several times as long.
    pub inlines: bool,
    /// Whether the engine has a garbage collector, for exceptions, `externref`, structs and arrays.
    /// Each instance may have a GC heap then, which takes one more memory of the pool.
    pub has_gc: bool,
    /// Whether the engine runs tasks of one instance concurrently, as components for WASI 0.3 need.
    /// Its bookkeeping costs each call, so that components for WASI 0.2 have an engine without.
    pub is_concurrent: bool,
}

/// The structure of a component, as far as it selects the engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Number of components with code of their own: nested ones, or the component itself.
    pub(crate) parts: u32,
    /// Size of the WebAssembly code, in bytes.
    pub(crate) code_bytes: u64,
}

impl Shape {
    /// The shape of the component in `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self> {
        let mut shape = Self::default();
        // Whether the component at each level of nesting has code.
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

    /// The engine for a component of this shape, with or without a garbage collector, and with or
    /// without concurrent tasks. Inlining is
    /// off without calls between components, and for large ones, for which it would need gigabytes.
    /// Components with a collector share one engine, which does not inline.
    pub(crate) fn engine(self, has_gc: bool, is_concurrent: bool) -> EngineKind {
        EngineKind {
            inlines: self.parts > 1 && !is_large(self.code_bytes) && !has_gc,
            has_gc,
            is_concurrent,
        }
    }
}

/// Whether the code of a component is so large that all workers should share it.
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
        // Toolchains wrap each export in such a component.
        let shim = "(component (import \"f\" (func)))";
        assert_eq!(parts(&format!("(component {MODULE} {shim})")), 1);
        let part = format!("(component {MODULE})");
        assert_eq!(parts(&format!("(component {part})")), 1);
        assert_eq!(parts(&format!("(component {part} {part})")), 2);
        assert_eq!(parts(&format!("(component (component {part} {part}))")), 2);
    }

    #[test]
    fn inlining_depends_on_parts_and_code_size_and_not_on_data_size() {
        let data = format!(
            "(core module (memory 9) (data \"{}\"))",
            "x".repeat(600 << 10)
        );
        let part = format!("(component {MODULE})");
        let with_data = shape(&format!("(component {part} {part} (component {data}))"));
        assert!(with_data.code_bytes < 100, "{with_data:?}");
        assert!(with_data.engine(false, false).inlines);
        assert_eq!(
            with_data.engine(true, false),
            EngineKind {
                inlines: false,
                has_gc: true,
                is_concurrent: false,
            }
        );
        assert!(!shape(&part).engine(false, false).inlines);
        let large = Shape {
            code_bytes: LARGE_CODE_BYTES,
            ..with_data
        };
        assert!(!large.engine(false, false).inlines);
    }
}
