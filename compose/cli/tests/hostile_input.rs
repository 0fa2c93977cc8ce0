//! Hostile input: no bytes cause a panic in the libraries, and all compositions are valid.

use std::sync::LazyLock;

use compose::{
    Component, Composed, Composition, GraphFormat, LinkOptions, Manifest, Plan, Report, StubSource,
    World, check, decompose, diff, emit_wac, environment, extract, graph, inspect, link, record,
    stub, swap, verify,
};
use compose_fuse::{FuseError, cost, fuse};
use proptest::prelude::*;
use proptest::sample::Index;
use test_components::{from_wat, from_wit};

const ROOT: &str = "
    package t:test;
    world test {
      import t:store/cache@0.1.0; import t:store/bucket@0.1.0; import now: func() -> u64;
      export t:store/run@0.1.0;
    }
    package t:store@0.1.0 {
      interface bucket { resource bucket { constructor(name: string); get: func() -> u32; } }
      interface cache {
        use bucket.{bucket};
        variant error { empty, unknown(string) }
        open: func(name: string) -> result<bucket, error>;
      }
      interface run { run: func() -> option<list<string>>; }
    }
";

const PART: &str = "
    package t:test;
    world test {
      import t:store/bucket@0.1.0;
      export t:store/cache@0.1.0;
    }
    package t:store@0.1.0 {
      interface bucket { resource bucket { constructor(name: string); get: func() -> u32; } }
      interface cache {
        use bucket.{bucket};
        variant error { empty, unknown(string) }
        open: func(name: string) -> result<bucket, error>;
      }
    }
";

const ODD: &str = r#"(component
    (type $interface (instance (export "go" (func))))
    (import "t:x/first@0.1.0" (instance $first (type $interface)))
    (import "t:x/second@0.1.0" (instance (type $interface)))
    (import "part" (component (import "value" (func)) (export "go" (func))))
    (import "module" (core module (export "memory" (memory 1))))
    (type $t (tuple u32 u32))
    (import "pair" (type (eq $t)))
    (export "t:x/run@0.1.0" (instance $first)))"#;

/// Valid components that mutations start from.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    vec![
        from_wit(ROOT),
        from_wit(PART),
        from_wat(ODD),
        environment([("A", "1"), ("B", "2")]).expect("fits"),
        composition(),
    ]
});

/// A part inside a root, with its record.
fn composition() -> Vec<u8> {
    let root = Component::new("root", from_wit(ROOT)).expect("valid");
    let part = Component::new("part", from_wit(PART)).expect("valid");
    linked(&root, &[part]).expect("fits").bytes
}

static WORLD: LazyLock<World> = LazyLock::new(|| World::wasi_http_proxy().expect("the world"));

fn linked(root: &Component, parts: &[Component]) -> Result<Composed, Report> {
    let plan = link(root, parts, &LinkOptions::default())?;
    plan.encode(parts.iter().chain([root]))
}

/// Uses the bytes in every role; only a panic or an invalid composition is a failure.
fn use_everywhere(bytes: &[u8]) {
    let _ = verify("hostile", bytes);
    let Ok(component) = Component::new("hostile", bytes) else {
        return;
    };
    let _ = check(&component, &WORLD);
    query(&component);
    rebuild(&component);
    if let Ok(fused) = fuse(&component) {
        wasmparser::validate(&fused.bytes).expect("a valid component");
    }
    let seeds = || {
        SEEDS
            .iter()
            .zip(["root", "part", "odd", "env"])
            .map(|(bytes, name)| Component::new(name, bytes.clone()).expect("valid"))
    };
    let mut results = vec![linked(&component, &[])];
    for seed in seeds() {
        results.push(linked(&component, std::slice::from_ref(&seed)));
        let hostile = Component::new("hostile", bytes).expect("valid a moment ago");
        results.push(linked(&seed, &[hostile]));
    }
    for linked in results.into_iter().flatten() {
        wasmparser::validate(&linked.bytes).expect("a valid composition");
    }
}

/// All queries of a valid component.
fn query(component: &Component) {
    let composition = Composition::of(component);
    for format in [
        GraphFormat::Svg,
        GraphFormat::Mermaid,
        GraphFormat::Dot,
        GraphFormat::Json,
    ] {
        let _ = graph(&composition, format);
    }
    let _ = inspect(component);
    let _ = cost(component);
    let _ = diff(&composition, &Composition::of(&seed(4)));
    let _ = emit_wac(&composition);
    let imports: Vec<String> = component.imports().map(str::to_owned).collect();
    if let Ok(stub) = stub(&imports, StubSource::ImportsOf(component)) {
        wasmparser::validate(&stub).expect("a valid stub");
    }
}

/// Checks that a composition can be rebuilt from its parts, and matches its record.
fn rebuild(component: &Component) {
    let recorded = record("hostile", component.bytes().to_vec()).expect("valid");
    let Some(decomposed) = decompose(component) else {
        return;
    };
    assert_eq!(verify("hostile", &recorded).report.diagnostics, []);
    for (name, bytes) in &decomposed.parts {
        if !name.contains('/') {
            assert_eq!(extract(component, name).as_deref(), Ok(*bytes));
        }
        let Ok(part) = Component::new(name, *bytes) else {
            continue;
        };
        if let Ok((plan, components)) = swap(component, vec![part])
            && let Ok(composed) = plan.encode(&components)
        {
            assert_eq!(composed.composition, decomposed.composition);
        }
    }
}

/// One of the valid components.
fn seed(index: usize) -> Component {
    Component::new("seed", SEEDS[index].clone()).expect("valid")
}

/// One change to bytes.
#[derive(Debug, Clone)]
enum Mutation {
    Set(Index, u8),
    Copy { from: Index, to: Index },
    Remove(Index),
    Insert(Index, u8),
    Truncate(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    prop_oneof![
        6 => (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        6 => (index(), 0..8_u8).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        6 => (index(), index()).prop_map(|(from, to)| Mutation::Copy { from, to }),
        1 => index().prop_map(Mutation::Remove),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        1 => index().prop_map(Mutation::Truncate),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match mutation {
        Mutation::Set(at, byte) => bytes[at.index(length)] = *byte,
        Mutation::Copy { from, to } => bytes[to.index(length)] = bytes[from.index(length)],
        Mutation::Remove(at) => drop(bytes.remove(at.index(length))),
        Mutation::Insert(at, byte) => bytes.insert(at.index(length), *byte),
        Mutation::Truncate(at) => bytes.truncate(at.index(length)),
    }
}

#[test]
fn every_seed_works_in_every_role() {
    for seed in SEEDS.iter() {
        use_everywhere(seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        use_everywhere(&bytes);
        let with_preamble = [b"\0asm\x0d\0\x01\0".as_slice(), &bytes].concat();
        use_everywhere(&with_preamble);
    }

    #[test]
    fn mutated_components_never_panic(
        seed in any::<Index>(),
        mutations in proptest::collection::vec(mutation(), 1..4),
    ) {
        let mut bytes = SEEDS[seed.index(SEEDS.len())].clone();
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        use_everywhere(&bytes);
    }
}

proptest! {
    // Each case parses the WIT of WASI.
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn environment_gives_a_valid_component_or_an_error(
        variables in proptest::collection::vec((".{0,8}", ".{0,40}"), 0..8),
    ) {
        if let Ok(bytes) = environment(variables) {
            Component::new("env", bytes).expect("valid");
        }
    }
}

/// Fragments of manifests.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "[components]\n",
        "[components.a]\n",
        "[components.b]\n",
        "[[components]]\n",
        "file = \"a.wasm\"\n",
        "env = { A = \"1\" }\n",
        "stub = [\"wasi:cli/environment\"]\n",
        "link = \"a\"\n",
        "link = \"b\"\n",
        "chain = [\"a\", \"b\"]\n",
        "on = \"t:store/cache\"\n",
        "around = \"a\"\n",
        "swap = \"a\"\n",
        "replace = { root = \"b\" }\n",
        "fuse = \"a\"\n",
        "with = [\"a\"]\n",
        "with = [\"b\", \"b\"]\n",
        "world = \"proxy\"\n",
        "output = \"a\"\n",
        "a = { file = \"a.wasm\" }\n",
        "\u{0}",
        "= ]",
    ])
}

proptest! {
    #[test]
    fn manifests_never_panic(pieces in proptest::collection::vec(piece(), 0..12)) {
        let manifest = Manifest::parse(&pieces.concat());
        if let Ok(manifest) = manifest {
            let files = manifest.files().into_iter().map(|file| (file.to_owned(), composition()));
            let fuse = |component: &Component| Ok::<_, FuseError>(fuse(component)?.bytes);
            let _ = manifest.build(&files.collect(), fuse);
        }
    }

    #[test]
    fn plans_of_any_names_never_panic(
        names in proptest::collection::vec("(root|part|t:store/(cache|run|bucket)@0.1.0|\\PC{0,4})", 9),
    ) {
        let [a, b, c, d, e, f, g, h, i] = names.as_slice() else {
            unreachable!("nine names");
        };
        let plan = serde_json::json!({
            "name": a,
            "components": [{ "name": "root" }, { "name": "part" }],
            "wires": [
                { "importer": b, "import": c, "provider": d, "export": e },
                { "importer": "root", "import": f, "provider": "part", "export": f },
            ],
            "exports": [{ "name": g, "provider": h, "export": i }],
        });
        let plan: Plan = serde_json::from_value(plan).expect("a plan");
        let root = Component::new("root", from_wit(ROOT)).expect("valid");
        let part = Component::new("part", from_wit(PART)).expect("valid");
        let _ = plan.composition([&root, &part]);
        let report = plan.check([&root, &part]);
        let composed = plan.encode([&root, &part]);
        prop_assert_eq!(report.has_errors(), composed.is_err());
    }
}
