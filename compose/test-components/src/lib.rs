//! Components for the tests of `compose`, built from text.

use std::error::Error;
use std::fs;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A component of the one world in `wit`, whose functions all trap.
///
/// # Panics
///
/// Panics if `wit` is not valid, or does not have exactly one world.
#[must_use]
pub fn from_wit(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", wit).expect("valid WIT");
    let world = resolve
        .select_world(&[package], None)
        .expect("exactly one world");
    let abi = ManglingAndAbi::Standard32;
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("metadata fits");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .expect("a component")
}

/// The binary form of `wat`.
///
/// # Panics
///
/// Panics if `wat` is not valid.
#[must_use]
pub fn from_wat(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).expect("valid WAT")
}

/// The smallest component that exports `wasi:http/incoming-handler`, with the resources that
/// its interface passes written out, as WAT.
pub const HTTP_SERVER: &str = include_str!("http_server.wat");

/// The standard packages of WASI 0.2 as nested packages, which can be part of another file.
///
/// # Panics
///
/// Panics if the WIT files of the workspace are missing.
#[must_use]
pub fn nested_wasi() -> String {
    let files = [
        "io",
        "clocks",
        "random",
        "filesystem",
        "sockets",
        "cli",
        "http",
    ];
    files.map(nested).concat()
}

/// The same of WASI 0.3.
///
/// # Panics
///
/// Panics if the WIT files of the workspace are missing.
#[must_use]
pub fn nested_wasi_0_3() -> String {
    let files = ["clocks", "random", "filesystem", "sockets", "cli", "http"];
    files.map(|file| nested(&format!("{file}-0.3"))).concat()
}

fn nested(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../wit/deps")
        .join(format!("{file}.wit"));
    let text = fs::read_to_string(path).expect("a file");
    let (package, rest) = text.split_once(';').expect("a package");
    format!("{package} {{ {rest} }}\n")
}

/// An error and its causes on one line, as the program prints them.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let text = causes(error);
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// An error and its causes, with their line breaks.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
