//! Compositions of other tools, with all connections that the component model allows.
//!
//! For each `tests/foreign/NAME.wat`, `NAME.txt` has the composition as read from it, and the
//! result of swapping each of its parts for itself: the same composition or an error, never
//! another composition. `BLESS=1` updates the expectations.

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

/// The composition of a component, and the results of swapping its parts.
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
fn compositions_of_other_tools_are_reproduced_or_rejected() {
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
fn deny_imports_with_a_star_reports_every_import() {
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
fn components_nested_more_than_100_levels_are_rejected() {
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
fn more_than_100_nested_types_are_rejected() {
    let nested = |levels: usize| {
        // An instance type whose only declaration is a nested type; the innermost is empty.
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
