//! Pictures of compositions.

use compose::{Composition, Export, GraphFormat, Import, Node, Wire, graph};
use proptest::prelude::*;
use roxmltree::Document;

const ALL: [GraphFormat; 4] = [
    GraphFormat::Svg,
    GraphFormat::Mermaid,
    GraphFormat::Dot,
    GraphFormat::Json,
];

/// A service whose cipher imports a newer version than its provider exports, and an interface
/// outside of WASI.
fn service() -> Composition {
    Composition {
        name: "service".to_owned(),
        nodes: vec![
            Node::new("cipher", &[0; 2048]),
            Node::new("environment", &[0; 900]),
            Node::new("http-adapter", &[0; 3072]),
        ],
        wires: vec![
            Wire {
                importer: "cipher".to_owned(),
                import: "wasi:cli/environment@0.2.6".to_owned(),
                provider: "environment".to_owned(),
                export: "wasi:cli/environment@0.2.12".to_owned(),
            },
            wire("http-adapter", "runner:cipher/cipher@0.1.0", "cipher"),
        ],
        imports: vec![
            import("cipher", "runner:audit/audit-log@0.1.0"),
            import("http-adapter", "wasi:http/types@0.2.12"),
        ],
        exports: vec![export("wasi:http/incoming-handler@0.2.12", "http-adapter")],
        ..Composition::default()
    }
}

fn wire(importer: &str, interface: &str, provider: &str) -> Wire {
    Wire {
        importer: importer.to_owned(),
        import: interface.to_owned(),
        provider: provider.to_owned(),
        export: interface.to_owned(),
    }
}

fn import(importer: &str, interface: &str) -> Import {
    Import {
        importer: importer.to_owned(),
        import: interface.to_owned(),
        name: interface.to_owned(),
    }
}

fn export(interface: &str, provider: &str) -> Export {
    Export {
        name: interface.to_owned(),
        provider: provider.to_owned(),
        export: interface.to_owned(),
    }
}

/// A node named `name` that imports and exports an interface of that name, and a second node.
fn named(name: &str) -> Composition {
    Composition {
        name: name.to_owned(),
        nodes: vec![Node::new("plain", b""), Node::new(name, b"")],
        wires: vec![wire("plain", name, name)],
        imports: vec![import(name, name)],
        exports: vec![export(name, "plain")],
        ..Composition::default()
    }
}

/// The texts of the picture whose class contains a word.
fn texts(svg: &str, class: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| {
        let classes = node.attribute("class").unwrap_or_default();
        node.has_tag_name("text") && classes.split(' ').any(|word| word == class)
    });
    texts
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_format_names_parts_wires_imports_and_exports() {
    for format in ALL {
        let picture = graph(&service(), format);
        for name in [
            "service",
            "http-adapter",
            "cipher",
            "environment",
            "runner:cipher/cipher@0.1.0",
            "wasi:cli/environment@0.2.6",
            "wasi:cli/environment@0.2.12",
            "runner:audit/audit-log@0.1.0",
            "wasi:http/types@0.2.12",
            "wasi:http/incoming-handler@0.2.12",
        ] {
            assert!(picture.contains(name), "{name} is not in {picture}");
        }
    }
}

#[test]
fn a_picture_has_the_sizes_of_parts_and_composition() {
    for format in [GraphFormat::Svg, GraphFormat::Mermaid, GraphFormat::Dot] {
        let picture = graph(&service(), format);
        for size in ["2.0 KiB", "900 B", "3.0 KiB", "3 parts, 5.9 KiB"] {
            assert!(picture.contains(size), "{size} is not in {picture}");
        }
    }
}

#[test]
fn svg_labels_have_both_versions_of_a_wire() {
    let labels = texts(&graph(&service(), GraphFormat::Svg), "label");

    assert!(labels.contains(&"wasi:cli/environment@0.2.6".to_owned()));
    assert!(labels.contains(&"wasi:cli/environment@0.2.12".to_owned()));
}

#[test]
fn imports_outside_of_wasi_are_dashed_and_explained() {
    let explanation = "dashed: no plain WASI host offers it";
    let svg = graph(&service(), GraphFormat::Svg);
    assert_eq!(texts(&svg, "legend"), [explanation]);
    assert!(svg.contains(r#"<g class="way missing">"#));

    let mermaid = graph(&service(), GraphFormat::Mermaid);
    assert!(mermaid.contains(explanation));
    assert_eq!(mermaid.matches("-.->").count(), 1);
    assert!(mermaid.contains("class h0,legend missing"));

    let dot = graph(&service(), GraphFormat::Dot);
    assert!(dot.contains(explanation));
    assert!(dot.contains(r#"p0 -> h0 [label="audit-log", style="dashed""#));
}

#[test]
fn wasi_imports_are_not_dashed() {
    let mut service = service();
    service.imports.remove(0);

    let svg = graph(&service, GraphFormat::Svg);
    assert!(texts(&svg, "legend").is_empty());
    assert!(!svg.contains(r#"missing">"#));
    assert!(!graph(&service, GraphFormat::Mermaid).contains("-.->"));
    assert!(!graph(&service, GraphFormat::Dot).contains("dashed"));
}

#[test]
fn svg_has_a_description_and_no_external_references() {
    let svg = graph(&service(), GraphFormat::Svg);
    let document = Document::parse(&svg).unwrap();
    let root = document.root_element();

    assert_eq!(root.attribute("role"), Some("img"));
    let size = ["width", "height"].map(|name| root.attribute(name).unwrap());
    assert_eq!(
        root.attribute("viewBox"),
        Some(format!("0 0 {} {}", size[0], size[1]).as_str())
    );
    let child = |name| {
        root.children()
            .find(|node| node.has_tag_name(name))
            .unwrap()
    };
    let svg_name = |name| ("http://www.w3.org/2000/svg", name);
    assert_eq!(child(svg_name("title")).text(), Some("service"));
    let description = child(svg_name("desc")).text().unwrap();
    assert!(description.contains("http-adapter imports runner:cipher/cipher@0.1.0 from cipher."));
    assert!(svg.contains("prefers-color-scheme: dark"));
    for foreign in ["<script", "href", "url(", "@import"] {
        assert!(!svg.contains(foreign), "{foreign}");
    }
}

#[test]
fn names_are_escaped_in_every_format() {
    let name = r#"</title><script>"'&]]>--"#;
    let svg = graph(&named(name), GraphFormat::Svg);

    let document = Document::parse(&svg).unwrap();
    assert!(
        !document
            .descendants()
            .any(|node| node.tag_name().name() == "script")
    );
    assert!(texts(&svg, "name").contains(&name.to_owned()));

    let dot = graph(&named(r#"a"]; b\"#), GraphFormat::Dot);
    assert!(dot.contains(r#"p1 [label="a\"]; b\\\n0 B"];"#));

    let mermaid = graph(&named("a\"] --> b\n%%{init}%%"), GraphFormat::Mermaid);
    assert!(mermaid.contains(r#"p1["a#34;#93; --#62; b #37;#37;#123;init#125;#37;#37;<br/>0 B"]"#));
}

#[test]
fn an_empty_composition_can_be_drawn() {
    let empty = Composition {
        name: String::new(),
        nodes: vec![],
        wires: vec![],
        imports: vec![],
        exports: vec![],
        ..Composition::default()
    };

    for format in ALL {
        assert!(!graph(&empty, format).is_empty());
    }
    assert_eq!(
        texts(&graph(&empty, GraphFormat::Svg), "summary"),
        ["no parts"]
    );
}

#[test]
fn a_wire_to_an_unknown_node_gets_a_block() {
    let mut service = service();
    service.nodes.remove(1);

    let svg = graph(&service, GraphFormat::Svg);

    assert!(texts(&svg, "name").contains(&"environment".to_owned()));
    assert!(texts(&svg, "note").contains(&"size unknown".to_owned()));
}

#[test]
fn a_cycle_can_be_drawn() {
    let circle = Composition {
        name: "circle".to_owned(),
        nodes: vec![Node::new("a", b""), Node::new("b", b"")],
        wires: vec![
            wire("a", "x", "b"),
            wire("b", "y", "a"),
            wire("b", "z", "b"),
        ],
        imports: vec![],
        exports: vec![],
        ..Composition::default()
    };

    let svg = graph(&circle, GraphFormat::Svg);

    assert_eq!(svg.matches(r#"<path class="wire""#).count(), 3);
}

#[test]
fn a_chain_of_200_parts_is_drawn() {
    let name = |part: usize| format!("part-{part:03}");
    let chain = Composition {
        name: "chain".to_owned(),
        nodes: (0..200).map(|p| Node::new(name(p), b"")).collect(),
        wires: (1..200)
            .map(|p| wire(&name(p - 1), "acme:http/next", &name(p)))
            .collect(),
        imports: (0..200)
            .map(|p| import(&name(p), "wasi:io/streams@0.2.12"))
            .collect(),
        exports: vec![],
        ..Composition::default()
    };

    assert_eq!(texts(&graph(&chain, GraphFormat::Svg), "name").len(), 200);
}

#[test]
fn graph_json_is_the_serialized_composition() {
    let json = graph(&service(), GraphFormat::Json);

    assert!(json.ends_with("}\n"));
    assert_eq!(
        serde_json::from_str::<Composition>(&json).unwrap(),
        service()
    );
}

proptest! {
    #[test]
    fn any_name_gives_well_formed_deterministic_pictures(name in any::<String>()) {
        let composition = named(&name);
        for format in ALL {
            prop_assert_eq!(graph(&composition, format), graph(&composition, format));
        }
        let svg = graph(&composition, GraphFormat::Svg);
        prop_assert!(Document::parse(&svg).is_ok(), "{}", svg);
        // A name never starts a line.
        let lines = |format| graph(&composition, format).lines().count();
        prop_assert!(lines(GraphFormat::Mermaid) <= 14);
        prop_assert!(lines(GraphFormat::Dot) <= 20);
    }
}

#[test]
fn a_picture_counts_the_connections_that_are_not_shown() {
    let composition = Composition {
        undescribed: vec!["what `cipher` gets for its import `x`".to_owned()],
        ..service()
    };
    for format in [GraphFormat::Svg, GraphFormat::Mermaid, GraphFormat::Dot] {
        assert!(graph(&composition, format).contains("1 connection not shown"));
    }
}
