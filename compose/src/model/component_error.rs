//! Errors of [`Component::new`](super::component::Component::new).

use std::error::Error;

use sanitize::line;

use super::component::{MAX_DEPTH, MAX_NESTED_TYPES};

/// Why bytes are not a component that can be composed.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The input is empty.
    #[error("`{name}` is empty, expected a component")]
    Empty {
        /// The name of the input.
        name: String,
    },
    /// The bytes are a core module.
    #[error(
        "`{name}` is a core module, not a component; make a component of it with \
         `wasm-tools component new`"
    )]
    CoreModule {
        /// The name of the input.
        name: String,
    },
    /// The bytes are text, possibly WAT.
    #[error(
        "`{name}` is text, not a component; if it is the text format, assemble it with \
         `wasm-tools parse`"
    )]
    Text {
        /// The name of the input.
        name: String,
    },
    /// The bytes do not start with the WebAssembly magic number.
    #[error("`{name}` is not WebAssembly: it does not start with the bytes `\\0asm`")]
    NotWasm {
        /// The name of the input.
        name: String,
    },
    /// The bytes are a WIT package in binary form.
    #[error("`{name}` is a WIT package: it describes interfaces, but contains no code")]
    WitPackage {
        /// The name of the input.
        name: String,
    },
    /// The component ends inside one of its nested modules or components.
    #[error(
        "`{name}` is truncated: it ends at byte {length_bytes}, but declares at least \
         {declared_bytes} bytes; copy all of it"
    )]
    CutShort {
        /// The name of the input.
        name: String,
        /// Length of the input.
        length_bytes: u64,
        /// Minimum length according to the section headers.
        declared_bytes: u64,
    },
    /// Components are nested deeper than the stack of later stages allows.
    #[error("`{name}` nests components more than {MAX_DEPTH} levels deep")]
    TooDeep {
        /// The name of the input.
        name: String,
    },
    /// A type section may nest types deeper than the stack of later stages allows.
    #[error(
        "`{name}` has more than {MAX_NESTED_TYPES} component and instance types in one section, \
         which may be nested too deeply"
    )]
    TooManyNestedTypes {
        /// The name of the input.
        name: String,
    },
    /// A chain of type references is longer than the validator supports.
    #[error(
        "`{name}` has a type with more than {MAX_DEPTH} levels of type references; build it with \
         fewer levels of types"
    )]
    TooDeepTypes {
        /// The name of the input.
        name: String,
    },
    /// The component is damaged or violates its format.
    #[error(
        "`{name}` is not a valid component: {} ({context}); build it again, or copy all of it",
        line(reason)
    )]
    Invalid {
        /// The name of the input.
        name: String,
        /// Message of the validator.
        reason: String,
        /// Section and offset of the error, in words.
        context: String,
    },
    /// The component is valid, but uses a feature that `wac` does not support.
    #[error("`{name}` is valid, but cannot be composed")]
    Unsupported {
        /// The name of the input.
        name: String,
        /// Error of `wac`.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
