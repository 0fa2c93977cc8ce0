//! `check` against the world `wasi:http/proxy`.

mod support;

use compose::{Component, Report, World, check};
use pretty_assertions::assert_eq;
use support::component;
use test_components::{HTTP_SERVER, from_wat, nested_wasi};

/// A component with a world of WASI 0.2.12.
fn report(world: &str) -> Report {
    let mut wit = format!("package t:test; world test {{ {world} }}\n");
    wit.push_str(&nested_wasi());
    check_component(&component("app", &wit))
}

fn check_component(component: &Component) -> Report {
    check(component, &World::wasi_http_proxy().expect("the world"))
}

fn lines(report: &Report) -> Vec<String> {
    report.diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn check_accepts_a_component_of_the_world() {
    let report = report("include wasi:http/proxy@0.2.12;");
    assert_eq!(lines(&report), Vec::<String>::new());
    assert!(!report.has_errors());
}

#[test]
fn superfluous_import_has_a_remedy() {
    let report = report(
        "import wasi:cli/environment@0.2.12; import wasi:cli/exit@0.2.12; \
         export wasi:http/incoming-handler@0.2.12;",
    );
    assert_eq!(
        lines(&report),
        [
            "error[superfluous-import]: `app` imports `wasi:cli/environment@0.2.12`, which the \
             world does not have; link the component that `component-compose env` makes",
            "error[superfluous-import]: `app` imports `wasi:cli/exit@0.2.12`, which the world does \
             not have; link a component that exports it",
        ]
    );
}

#[test]
fn missing_export_is_reported() {
    let report = report("import wasi:random/random@0.2.12;");
    assert_eq!(
        lines(&report),
        [
            "error[missing-export]: `app` does not export `wasi:http/incoming-handler@0.2.12`, \
             which the world expects; compose with a root that exports it"
        ]
    );
}

/// A proxy with the given imports, and a handler of the given version.
fn proxy_with(version: &str, imports: &str) -> Report {
    let wat = HTTP_SERVER
        .replace("@0.2.6", &format!("@{version}"))
        .replace("(core module", &format!("{imports} (core module"));
    check_component(&Component::new("app", from_wat(&wat)).expect("a component"))
}

#[test]
fn check_accepts_an_older_version_on_the_same_track() {
    let report = proxy_with(
        "0.2.0",
        r#"(import "wasi:random/random@0.2.1" (instance
            (export "get-random-u64" (func (result u64)))))"#,
    );
    assert_eq!(lines(&report), Vec::<String>::new());
}

#[test]
fn different_import_reports_a_missing_function() {
    let report = proxy_with(
        "0.2.12",
        r#"(import "wasi:random/random@0.2.99" (instance
            (export "get-random-u64" (func (result u64)))
            (export "get-random-u128" (func (result (tuple u64 u64))))))"#,
    );
    assert_eq!(
        lines(&report),
        [
            "error[different-import]: `app` imports `wasi:random/random@0.2.99`, which does not match `wasi:random/random@0.2.12` of the world: `get-random-u128: func() -> tuple<u64, \
             u64>` is missing; build the component against that version"
        ]
    );
}

#[test]
fn different_import_reports_a_function_of_another_type() {
    let report = proxy_with(
        "0.2.12",
        r#"(import "wasi:random/random@0.2.12" (instance
            (export "get-random-u64" (func (result u32)))))"#,
    );
    assert_eq!(
        lines(&report),
        [
            "error[different-import]: `app` imports `wasi:random/random@0.2.12`, which does not match `wasi:random/random@0.2.12` of the world: expected `get-random-u64: func() -> \
             u32`, found `get-random-u64: func() -> u64`; build the component against that version"
        ]
    );
}

#[test]
fn superfluous_import_names_the_other_version_track() {
    let report = proxy_with(
        "0.3.0",
        r#"(import "wasi:random/random@0.3.0" (instance
            (export "get-random-u64" (func (result u64)))))"#,
    );
    assert_eq!(
        lines(&report),
        [
            "error[superfluous-import]: `app` imports `wasi:http/types@0.3.0`, and the world has \
             `wasi:http/types@0.2.12`, which is on another version track; build the component against that \
             version",
            "error[superfluous-import]: `app` imports `wasi:random/random@0.3.0`, and the world \
             has `wasi:random/random@0.2.12`, which is on another version track; build the component \
             against that version",
            "error[missing-export]: the world expects the export \
             `wasi:http/incoming-handler@0.2.12`, and `app` has \
             `wasi:http/incoming-handler@0.3.0`, which is on another version track; build it against the version of the world",
        ]
    );
}
