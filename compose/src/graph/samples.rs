//! Sample compositions for tests.

use proptest::prelude::*;

use crate::model::composition::{Composition, Export, Import, Node, Wire};

pub(super) fn node(name: &str, size_bytes: u64) -> Node {
    Node {
        name: name.to_owned(),
        size_bytes,
        sha256: String::new(),
    }
}

pub(super) fn wire(importer: &str, import: &str, provider: &str, export: &str) -> Wire {
    Wire {
        importer: importer.to_owned(),
        import: import.to_owned(),
        provider: provider.to_owned(),
        export: export.to_owned(),
    }
}

pub(super) fn import(importer: &str, import: &str) -> Import {
    Import {
        importer: importer.to_owned(),
        import: import.to_owned(),
        name: import.to_owned(),
    }
}

pub(super) fn export(name: &str, provider: &str) -> Export {
    Export {
        name: name.to_owned(),
        provider: provider.to_owned(),
        export: name.to_owned(),
    }
}

/// An HTTP service of four nodes.
pub(super) fn app() -> Composition {
    let cipher = "runner:cipher/cipher@0.1.0";
    let audit = "runner:audit/audit-log@0.1.0";
    let environment = "wasi:cli/environment@0.2.12";
    Composition {
        name: "app-closed".to_owned(),
        nodes: vec![
            node("audit-stderr", 38 * 1024 + 400),
            node("cipher", 45 * 1024 + 100),
            node("environment", 920),
            node("http-adapter", 98 * 1024 + 300),
        ],
        wires: vec![
            wire("cipher", audit, "audit-stderr", audit),
            wire("cipher", environment, "environment", environment),
            wire("http-adapter", cipher, "cipher", cipher),
        ],
        imports: vec![
            import("audit-stderr", "wasi:cli/stderr@0.2.12"),
            import("audit-stderr", "wasi:clocks/wall-clock@0.2.12"),
            import("audit-stderr", "wasi:io/error@0.2.12"),
            import("audit-stderr", "wasi:io/streams@0.2.12"),
            import("http-adapter", "wasi:http/types@0.2.12"),
            import("http-adapter", "wasi:io/error@0.2.12"),
            import("http-adapter", "wasi:io/poll@0.2.12"),
            import("http-adapter", "wasi:io/streams@0.2.12"),
        ],
        exports: vec![export("wasi:http/incoming-handler@0.2.12", "http-adapter")],
        ..Composition::default()
    }
}

/// Parts that each import from the next one and from the host.
pub(super) fn chain(nodes: usize) -> Composition {
    let name = |node: usize| format!("middleware-{node:03}");
    let handler = "wasi:http/incoming-handler@0.2.12";
    Composition {
        name: "chain".to_owned(),
        nodes: (0..nodes).map(|p| node(&name(p), 20_000)).collect(),
        wires: (1..nodes)
            .map(|p| wire(&name(p - 1), handler, &name(p), handler))
            .collect(),
        imports: (0..nodes)
            .flat_map(|p| {
                [
                    "wasi:http/types@0.2.12",
                    "wasi:io/streams@0.2.12",
                    "wasi:io/error@0.2.12",
                ]
                .map(|interface| import(&name(p), interface))
            })
            .collect(),
        exports: vec![export(handler, &name(0))],
        ..Composition::default()
    }
}

/// Any composition: nodes may be duplicate or missing, and wires may form cycles.
pub(super) fn any_composition() -> impl Strategy<Value = Composition> {
    let name = || prop_oneof![4 => "[a-h]", 1 => any::<String>()];
    let interface = || {
        prop_oneof![
            4 => "(wasi:|acme:)(io|http)/[a-c](@0\\.[12]\\.0)?",
            1 => "[a-c]",
            1 => any::<String>(),
        ]
    };
    let node = (name(), any::<u64>()).prop_map(|(name, size)| node(&name, size));
    let wire = (name(), interface(), name(), interface()).prop_map(
        |(importer, import, provider, export)| Wire {
            importer,
            import,
            provider,
            export,
        },
    );
    let import = (name(), interface(), interface()).prop_map(|(importer, import, name)| Import {
        importer,
        import,
        name,
    });
    let export = (interface(), name(), interface()).prop_map(|(name, provider, export)| Export {
        name,
        provider,
        export,
    });
    (
        any::<String>(),
        prop::collection::vec(node, 0..10),
        prop::collection::vec(wire, 0..20),
        prop::collection::vec(import, 0..20),
        prop::collection::vec(export, 0..6),
    )
        .prop_map(|(name, nodes, wires, imports, exports)| Composition {
            name,
            nodes,
            wires,
            imports,
            exports,
            ..Composition::default()
        })
}
