//! Components for tests, made of text.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use compose::{Component, Composed, LinkOptions, Report, link};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A component of the one world in `wit`, whose functions all trap.
pub(crate) fn from_wit(wit: &str) -> Vec<u8> {
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
pub(crate) fn from_wat(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).expect("valid WAT")
}

/// A component of the one world in `wit`, under a name.
pub(crate) fn component(name: &str, wit: &str) -> Component {
    Component::new(name, from_wit(wit)).expect("a component that can be composed")
}

/// Links `root` with `parts` and composes them.
pub(crate) fn linked(root: &Component, parts: &[Component]) -> Result<Composed, Report> {
    let plan = link(root, parts, &LinkOptions::default())?;
    plan.encode(parts.iter().chain([root]))
}

/// The standard packages as they can stand inside another file.
pub(crate) fn nested_wasi() -> String {
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

fn nested(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../wit/deps")
        .join(file)
        .with_extension("wit");
    let text = fs::read_to_string(path).expect("a file");
    let (package, rest) = text.split_once(';').expect("a package");
    format!("{package} {{ {rest} }}\n")
}

/// An error and its causes, as the program prints them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
