//! Hostile names: names of parts, tools and core imports may be any text, and must not forge a
//! line, control a terminal, or fill a screen in any output for people.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output};

use compose::{Component, Composition, GraphFormat, LinkOptions, graph, link};
use tempfile::TempDir;
use test_components::{from_wat, from_wit};

/// Forges a line, clears the screen, changes the text direction, and hides characters.
const EVIL: &str = "x\nexport forged\r\u{1b}[2J\u{202e}\u{200b}\u{85}";

/// Whether no output may have the character.
fn is_harmful(character: char) -> bool {
    (character.is_control() && character != '\n') || matches!(character, '\u{202e}' | '\u{200b}')
}

#[track_caller]
fn check(output: &str) {
    assert!(!output.contains(is_harmful), "{output:?}");
    let forged = output
        .lines()
        .find(|line| line.starts_with("export forged"));
    assert_eq!(forged, None, "{output}");
    assert!(output.len() < 100_000, "{} bytes", output.len());
}

const CIPHER: &str = "
    package t:cipher@0.1.0 { interface cipher { encrypt: func(text: string) -> string; } }
    package t:app@0.1.0 { interface run { run: func(); } }
";

fn world(body: &str) -> Vec<u8> {
    from_wit(&format!("package t:t; world t {{ {body} }} {CIPHER}"))
}

/// A composition of parts of this name.
fn composed(name: &str) -> Vec<u8> {
    let root = world("import t:cipher/cipher@0.1.0; export t:app/run@0.1.0;");
    let root = Component::new(format!("root {name}"), root).expect("a component");
    let cipher = world("export t:cipher/cipher@0.1.0;");
    let cipher = Component::new(format!("cipher {name}"), cipher).expect("a component");
    let parts = [cipher];
    let plan = link(&root, &parts, &LinkOptions::default()).expect("a plan");
    let composed = plan.encode(parts.iter().chain([&root]));
    composed.expect("a composition").bytes
}

/// A component whose core module has an unsatisfied import.
fn unsatisfied(name: &str) -> Vec<u8> {
    let name: String = name.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:02x}").expect("a string takes all");
        text
    });
    from_wat(&format!(
        r#"(component
             (core module $m (import "{name}" "f" (func)))
             (core instance (instantiate $m)))"#
    ))
}

struct Folder(TempDir);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Self(TempDir::new().expect("a folder"));
        folder.write("composed.wasm", &composed(name));
        folder.write("usual.wasm", &composed("usual"));
        let bytes = wat::parse_bytes(&unsatisfied(name))
            .expect("bytes")
            .into_owned();
        folder.write("unsatisfied.wasm", &bytes);
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).expect("can write");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_component-compose"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("the program starts")
    }
}

/// The commands that print names from components, in every format.
const COMMANDS: [&[&str]; 10] = [
    &["inspect", "composed.wasm"],
    &["inspect", "composed.wasm", "--format", "json"],
    &["inspect", "unsatisfied.wasm"],
    &["diff", "composed.wasm", "usual.wasm"],
    &["diff", "usual.wasm", "composed.wasm", "--format", "json"],
    &["verify", "composed.wasm"],
    &["check", "composed.wasm", "--world", "proxy"],
    &["graph", "composed.wasm", "--format", "dot"],
    &["graph", "composed.wasm", "--format", "json"],
    &["graph", "composed.wasm", "--format", "mermaid"],
];

#[test]
fn no_command_prints_a_control_character_a_bidi_mark_or_a_forged_line_of_a_name() {
    let folder = Folder::new(EVIL);
    for arguments in COMMANDS {
        let output = folder.run(arguments);
        for stream in [&output.stdout, &output.stderr] {
            check(str::from_utf8(stream).expect("UTF-8"));
        }
        let is_empty = output.stdout.is_empty() && output.stderr.is_empty();
        assert!(!is_empty, "{arguments:?} printed nothing");
    }
}

#[test]
fn no_command_prints_all_of_a_name_of_90000_bytes() {
    let folder = Folder::new(&"y".repeat(90_000));
    for arguments in COMMANDS {
        // JSON for programs has complete names.
        if arguments.contains(&"json") {
            continue;
        }
        let output = folder.run(arguments);
        check(str::from_utf8(&output.stdout).expect("UTF-8"));
        check(str::from_utf8(&output.stderr).expect("UTF-8"));
    }
}

#[test]
fn svg_has_no_control_character_or_bidi_mark_of_a_name() {
    let component = Component::new("whole", composed(EVIL)).expect("a component");
    check(&graph(&Composition::of(&component), GraphFormat::Svg));
}

#[test]
fn a_name_in_json_is_escaped_and_read_back_as_it_was() {
    let folder = Folder::new(EVIL);
    let output = folder.run(&["inspect", "composed.wasm", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let parts = value["parts"].as_array().expect("parts");
    let names: Vec<_> = parts.iter().map(|part| part["name"].as_str()).collect();
    assert!(names.contains(&Some(&format!("root {EVIL}"))), "{value}");
}
