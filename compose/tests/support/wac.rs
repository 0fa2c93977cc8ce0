//! Components for WAC texts, and the composition of a text.

use std::sync::LazyLock;

use compose::{Component, WacError, run_wac};
use test_components::causes;

use super::component;

/// A cipher that imports a log.
pub(crate) const CIPHER: &str = "package t:api@1.0.0;
    interface cipher { encrypt: func(text: string) -> string; }
    interface log { line: func(text: string); }
    world provider { import log; export cipher; }";

pub(crate) fn cipher(name: &str) -> Component {
    component(name, CIPHER)
}

/// A component that imports the cipher.
pub(crate) fn app() -> Component {
    let world = "world provider { import cipher; export run: func(); }";
    let wit = CIPHER.replace("world provider { import log; export cipher; }", world);
    component("app", &wit)
}

/// Composes a text of `parts:cipher` and `parts:app`.
pub(crate) fn run(text: &str) -> Result<Component, WacError> {
    static COMPONENTS: LazyLock<[Component; 2]> = LazyLock::new(|| [cipher("cipher"), app()]);
    let bytes = run_wac("app.wac", text, &*COMPONENTS)?;
    Ok(Component::new("whole", bytes).expect("a valid component"))
}

/// The error of a text that does not compose.
pub(crate) fn error(text: &str) -> String {
    causes(&run(text).expect_err("no composition"))
}

pub(crate) fn imports(component: &Component) -> Vec<&str> {
    component.imports().collect()
}

pub(crate) fn exports(component: &Component) -> Vec<&str> {
    component.exports().collect()
}
