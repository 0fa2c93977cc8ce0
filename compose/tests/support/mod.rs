//! Shorthands for components and compositions.

// Each test program uses a part of it.
#![allow(dead_code)]

pub(crate) mod wac;

use compose::{Component, Composed, LinkOptions, Report, link};
use test_components::from_wit;

/// A component of the one world in `wit`, under a name.
pub(crate) fn component(name: &str, wit: &str) -> Component {
    Component::new(name, from_wit(wit)).expect("a component that can be composed")
}

/// Links `root` with `parts` and composes them.
pub(crate) fn linked(root: &Component, parts: &[Component]) -> Result<Composed, Report> {
    let plan = link(root, parts, &LinkOptions::default())?;
    plan.encode(parts.iter().chain([root]))
}
