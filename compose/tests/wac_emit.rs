//! `emit_wac`: compositions written as WAC text.

mod support;

use std::fs;
use std::path::Path;

use compose::{Component, Composition, Export, Import, Node, WacError, Wire, emit_wac, run_wac};
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use support::wac::{cipher, exports, imports};
use support::{component, linked};
use test_components::{causes, from_wat, from_wit};

/// The components of a fixture of `link`, the root last.
fn fixture(folder: &Path) -> Vec<Component> {
    let mut components = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = || fs::read_to_string(&path).expect("a text");
        let bytes = match path.extension().and_then(|extension| extension.to_str()) {
            Some("wit") => from_wit(&text()),
            Some("wat") => from_wat(&text()),
            _ => continue,
        };
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name");
        let name = stem.strip_prefix("part-").unwrap_or(stem);
        components.push(Component::new(name, bytes).expect("a component"));
    }
    components.sort_by_key(|component| (component.name() == "root", component.name().to_owned()));
    components
}

#[test]
fn emit_wac_round_trips_every_link_fixture() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/link");
    let mut count = 0;
    for entry in fs::read_dir(fixtures).expect("a folder") {
        let folder = entry.expect("an entry").path();
        if !folder.join("expected.txt").exists() {
            continue;
        }
        count += 1;
        let mut components = fixture(&folder);
        let root = components.pop().expect("a root");
        let composed = linked(&root, &components).expect("it links");
        let text = emit_wac(&composed.composition);
        components.push(root);
        let place = folder.display();
        let bytes = run_wac("root.wac", &text, &components)
            .unwrap_or_else(|error| panic!("{place}: {}\n{text}", causes(&error)));
        let whole = Component::new("root", bytes).expect("a valid component");
        assert_eq!(Composition::of(&whole), composed.composition, "{place}");
    }
    assert!(count >= 9, "there are fixtures that link: {count}");
}

fn part(name: &str, sha256: &str) -> Node {
    Node {
        name: name.to_owned(),
        size_bytes: 12,
        sha256: sha256.to_owned(),
    }
}

fn wire(importer: &str, import: &str, provider: &str, export: &str) -> Wire {
    Wire {
        importer: importer.to_owned(),
        import: import.to_owned(),
        provider: provider.to_owned(),
        export: export.to_owned(),
    }
}

#[test]
fn emit_wac_writes_the_expected_text() {
    let composition = Composition {
        name: "My App".to_owned(),
        nodes: vec![
            part("a_root", "aa"),
            part("let", "bb"),
            part("üb\u{202e}", "bb"),
        ],
        wires: vec![
            wire("a_root", "t:api/cipher@1.0.0", "let", "t:api/cipher@1.2.0"),
            wire("let", "now", "üb\u{202e}", "now"),
        ],
        imports: vec![Import {
            importer: "let".to_owned(),
            import: "t:api/log@1.0.0".to_owned(),
            name: "t:api/log@1.0.0".to_owned(),
        }],
        exports: vec![Export {
            name: "run".to_owned(),
            provider: "a_root".to_owned(),
            export: "run".to_owned(),
        }],
        ..Composition::default()
    };
    assert_eq!(
        emit_wac(&composition),
        r#"// `My App`, composed by:
//
//   component-compose run my-app.wac --with a-root=FILE --with let=FILE
//
// parts:a-root is `a_root`, 12 bytes, sha256 aa
// parts:let is `let` and `\u{fc}b\u{202e}`, 12 bytes, sha256 bb

package compose:my-app;

let b = new parts:let {};

let %let = new parts:let {
  "now": b["now"],
  ...
};

let a-root = new parts:a-root {
  "t:api/cipher@1.0.0": %let["t:api/cipher@1.2.0"],
};

export a-root["run"] as "run";
"#
    );
}

#[test]
fn emit_wac_embeds_equal_parts_once() {
    let relay = "package t:api; interface log { line: func(text: string); }
        world relay { import log; export log; }";
    let (first, second) = (component("first", relay), component("second", relay));
    let log = "t:api/log";
    let composition = Composition {
        name: "whole".to_owned(),
        nodes: [&first, &second]
            .map(|component| Node::new(component.name(), component.bytes()))
            .to_vec(),
        wires: vec![wire("first", log, "second", log)],
        imports: vec![Import {
            importer: "second".to_owned(),
            import: log.to_owned(),
            name: log.to_owned(),
        }],
        exports: vec![Export {
            name: log.to_owned(),
            provider: "first".to_owned(),
            export: log.to_owned(),
        }],
        ..Composition::default()
    };
    let size = first.bytes().len();
    let text = emit_wac(&composition);
    let bytes = run_wac("whole.wac", &text, &[first, second]).expect("a composition");
    assert!(bytes.len() < 2 * size, "{} of {size}\n{text}", bytes.len());
    let whole = Component::new("whole", bytes).expect("a valid component");
    assert_eq!((imports(&whole), exports(&whole)), (vec![log], vec![log]));
}

#[test]
fn emit_wac_of_a_cycle_does_not_compose() {
    let log = "t:api/log@1.0.0";
    let cipher = cipher("cipher");
    let composition = Composition {
        name: "whole".to_owned(),
        nodes: vec![Node::new("cipher", cipher.bytes())],
        wires: vec![wire("cipher", log, "cipher", log)],
        imports: Vec::new(),
        exports: Vec::new(),
        ..Composition::default()
    };
    let text = emit_wac(&composition);
    let error = run_wac("whole.wac", &text, &[cipher]).expect_err("no composition");
    assert!(
        causes(&error).contains("undefined name `cipher`"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn emit_wac_of_any_composition_can_be_parsed(
        names in prop::collection::btree_set(any::<String>(), 1..5),
        digests in prop::collection::vec("[ab]", 5),
    ) {
        let nodes = names.iter().zip(&digests).map(|(name, digest)| part(name, digest)).collect();
        let names: Vec<&String> = names.iter().collect();
        let composition = Composition {
            name: names[0].clone(),
            nodes,
            wires: names.windows(2).map(|pair| wire(pair[0], "a:b/c", pair[1], "a:b/c")).collect(),
            imports: Vec::new(),
            exports: vec![Export {
                name: "run".to_owned(),
                provider: names[0].clone(),
                export: "run".to_owned(),
            }],
    ..Composition::default()
};
        let text = emit_wac(&composition);
        // Parsing succeeds, and the packages are missing.
        let error = run_wac("app.wac", &text, &[]).expect_err("missing packages");
        prop_assert!(matches!(error, WacError::MissingPackages { .. }), "{error}\n{text}");
    }
}
