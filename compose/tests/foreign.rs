//! Compositions that others made, in every way that the component model allows.
//!
//! Each `tests/foreign/NAME.wat` has beside it what is read off it, and what comes of
//! swapping each of its parts for itself: the same composition, or a refusal, but never
//! another composition. `BLESS=1` writes what came out as what is expected.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use compose::{Component, Composition, GraphFormat, decompose, deny_imports, graph, swap};
use pretty_assertions::assert_eq;
use test_components::from_wat;

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Component {
    let text = fs::read_to_string(path).expect("a file");
    Component::new("whole", from_wat(&text)).expect("valid")
}

/// What is read off a component, and what comes of swapping its parts.
fn describe(component: &Component) -> String {
    let composition = Composition::of(component);
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string");
    for wire in &composition.wires {
        line(wire.to_string());
    }
    for import in &composition.imports {
        line(format!("{} -- {} --> host", import.importer, import.import));
    }
    for export in &composition.exports {
        line(format!("export {} of {}", export.name, export.provider));
    }
    for import in &composition.host_imports {
        line(format!("import {import}"));
    }
    for undescribed in &composition.undescribed {
        line(format!("not shown: {undescribed}"));
    }
    let parts = decompose(component).map(|decomposed| decomposed.parts);
    for (name, bytes) in parts.into_iter().flatten() {
        let part = Component::new(&name, bytes).expect("valid");
        line(format!("swap {name}: {}", swapped(component, part)));
    }
    text
}

fn swapped(component: &Component, part: Component) -> String {
    let composed =
        swap(component, vec![part]).and_then(|(plan, components)| plan.encode(&components));
    match composed {
        Ok(composed) if composed.composition == Composition::of(component) => "the same".to_owned(),
        Ok(_) => "ANOTHER COMPOSITION".to_owned(),
        Err(report) => report.to_string(),
    }
}

#[test]
fn what_others_composed_is_read_and_made_again_or_refused() {
    let mut wrong = Vec::new();
    for path in fixtures() {
        let found = describe(&read(&path));
        let expected = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
            fs::write(&expected, &found).expect("can write");
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if found != expected {
            wrong.push((path, found, expected));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn every_import_of_the_whole_can_be_denied() {
    for path in fixtures() {
        let component = read(&path);
        let denied = deny_imports(&Composition::of(&component), &["*"]);
        assert_eq!(
            denied.diagnostics.len(),
            component.imports().count(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_component_of_a_thousand_million_instances_can_be_inspected_and_drawn() {
    let mut text = "(component $c (import \"f\" (func)))".to_owned();
    for _ in 0..30 {
        let instance = "(instance (instantiate $c (with \"f\" (func $f))))";
        text = format!("(component $c (import \"f\" (func $f)) {text} {instance} {instance})");
    }
    let component = Component::new("whole", from_wat(&text)).expect("valid");
    assert_eq!(compose::inspect(&component).parts.len(), 1);
    assert!(graph(&Composition::of(&component), GraphFormat::Svg).starts_with("<svg"));
}

#[test]
fn components_nested_beyond_measure_are_refused() {
    let mut bytes = PREAMBLE.to_vec();
    for _ in 0..20_000 {
        bytes = [PREAMBLE, &section(4, &bytes)].concat();
    }
    let error = Component::new("deep", bytes).expect_err("too deep");
    assert_eq!(
        error.to_string(),
        "`deep` nests components more than 100 levels deep"
    );
}

#[test]
fn types_nested_beyond_measure_are_refused() {
    let nested = |levels: usize| {
        // An instance type with one declaration, which is a type; the innermost has none.
        let ty = [[0x42, 1, 1].repeat(levels), vec![0x42, 0]].concat();
        let types = section(7, &[&[1], ty.as_slice()].concat());
        Component::new("deep", [PREAMBLE, &types].concat())
    };
    nested(90).expect("valid");
    let error = nested(100_000).expect_err("too deep");
    assert!(
        error
            .to_string()
            .starts_with("`deep` has more than 100 component and instance types"),
        "{error}"
    );
}

const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![id];
    let mut rest = content.len();
    while rest > 0x7f {
        bytes.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).expect("seven bits"));
    [bytes.as_slice(), content].concat()
}
