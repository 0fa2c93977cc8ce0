//! Composes WebAssembly components.
