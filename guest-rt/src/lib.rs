//! What a `no_std` guest needs beside its bindings: an allocator and a panic
//! handler.
//!
//! A guest that links Rust's `std` imports a dozen WASI interfaces whatever it
//! does, because the code that prints a panic needs them. A guest that links
//! this crate instead imports what its WIT world names and nothing else. On
//! every other target the crate is empty apart from `std` itself, so the same
//! guest builds and unit-tests natively.
#![no_std]

#[cfg(target_family = "wasm")]
extern crate alloc;
#[cfg(not(target_family = "wasm"))]
extern crate std;

#[cfg(target_family = "wasm")]
mod wasm;
