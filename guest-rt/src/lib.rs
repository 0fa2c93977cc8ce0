//! The run time of a `no_std` guest: an allocator and a panic handler.
//!
//! A guest that links Rust's `std` imports a dozen WASI interfaces in any case, because the
//! code that prints a panic needs them. A guest that links this crate instead imports only the
//! interfaces of its WIT world. On other targets the crate links `std` and is empty
//! otherwise, so that the same guest builds and runs unit tests natively.
#![no_std]

#[cfg(target_family = "wasm")]
extern crate alloc;
#[cfg(not(target_family = "wasm"))]
extern crate std;

#[cfg(target_family = "wasm")]
mod wasm;
