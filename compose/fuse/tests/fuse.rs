//! Fusing: equal imports and exports, and fewer core instances.

use compose::{Component, Composed, LinkOptions, Report, inspect, link};
use compose_fuse::{Cost, Fused, cost, fuse};
use pretty_assertions::assert_eq;
use test_components::{error_chain, from_wat, from_wit};
use wit_component::{DecodedWasm, WitPrinter, decode};

const INTERFACES: &str = "
    package t:parts@0.1.0 {
      interface words {
        record word { text: string, weight: u32 }
        variant failure { unknown(string), other }
        find: func(text: string) -> result<list<word>, failure>;
      }
      interface clock { now: func() -> u64; }
      interface log { write: func(lines: list<string>) -> option<string>; }
      interface files { resource file { constructor(name: string); read: func() -> string; } }
      interface shelf { use files.{file}; put: func(file: file); }
    }
";

fn component(name: &str, wit: &str) -> Component {
    Component::new(name, from_wit(wit)).expect("a component that can be composed")
}

fn linked(root: &Component, parts: &[Component]) -> Result<Composed, Report> {
    let plan = link(root, parts, &LinkOptions::default())?;
    plan.encode(parts.iter().chain([root]))
}

fn part(name: &str, world: &str) -> Component {
    component(
        name,
        &format!("package t:test; world test {{ {world} }} {INTERFACES}"),
    )
}

/// Two parts that exchange lists and strings with each other and with the host.
fn composition() -> Component {
    let root = part(
        "root",
        "import t:parts/words@0.1.0; import t:parts/log@0.1.0; export t:parts/clock@0.1.0;",
    );
    let words = part(
        "words",
        "import t:parts/log@0.1.0; import t:parts/files@0.1.0; export t:parts/words@0.1.0;",
    );
    let linked = linked(&root, &[words]).expect("fits");
    Component::new("composition", linked.bytes).expect("a component")
}

fn fused(component: &Component) -> Fused {
    fuse(component).unwrap_or_else(|error| panic!("{}", error_chain(&error)))
}

/// The imports and exports with all types.
fn wit(bytes: &[u8]) -> String {
    let DecodedWasm::Component(resolve, world) = decode(bytes).expect("a component") else {
        panic!("not a component");
    };
    let package = resolve.worlds[world].package.expect("a package");
    let mut printer = WitPrinter::default();
    let others: Vec<_> = resolve.packages.iter().map(|(id, _)| id).collect();
    printer
        .print(&resolve, package, &others)
        .expect("can be printed");
    printer.output.to_string()
}

#[test]
fn fuse_keeps_imports_and_exports() {
    let composition = composition();
    assert_eq!(wit(composition.bytes()), wit(&fused(&composition).bytes));
}

#[test]
fn fuse_keeps_the_names_of_exported_types() {
    let words = part("words", "export t:parts/words@0.1.0;");
    assert_eq!(wit(words.bytes()), wit(&fused(&words).bytes));
}

#[test]
fn fuse_keeps_a_resource_of_the_host() {
    let shelf = part(
        "shelf",
        "import t:parts/files@0.1.0; export t:parts/shelf@0.1.0;",
    );
    assert_eq!(wit(shelf.bytes()), wit(&fused(&shelf).bytes));
}

#[test]
fn a_fused_component_has_two_core_instances() {
    let Fused { before, after, .. } = fused(&composition());
    // Each part has a shim, a fixup and its module; the adapter between them is one more.
    let expected = Cost {
        core_instances: 7,
        memories: 2,
        tables: 2,
    };
    assert_eq!(before, expected);
    // The tables of both shims are removed, and that of the allocators is added.
    let expected = Cost {
        core_instances: 2,
        memories: 2,
        tables: 1,
    };
    assert_eq!(after, expected);
}

#[test]
fn a_fused_component_can_be_linked_and_fused_again() {
    let composition = composition();
    let once = Component::new("once", fused(&composition).bytes).expect("a component");
    let log = part("log", "export t:parts/log@0.1.0;");
    let linked = linked(&once, &[log]).expect("fits");
    let linked = Component::new("linked", linked.bytes).expect("a component");
    assert_eq!(wit(linked.bytes()), wit(&fused(&linked).bytes));
}

#[test]
fn fuse_is_deterministic() {
    assert_eq!(fused(&composition()).bytes, fused(&composition()).bytes);
}

fn error(component: &Component) -> String {
    error_chain(&fuse(component).expect_err("cannot be fused"))
}

#[test]
fn fuse_rejects_parts_that_exchange_resources() {
    let root = part(
        "root",
        "import t:parts/shelf@0.1.0; export t:parts/clock@0.1.0;",
    );
    let shelf = part(
        "shelf",
        "import t:parts/files@0.1.0; export t:parts/shelf@0.1.0;",
    );
    let linked = linked(&root, &[shelf]).expect("fits");
    let linked = Component::new("linked", linked.bytes).expect("a component");
    assert_eq!(
        error(&linked),
        "cannot be fused: one of its parts passes a resource to another; use the component without fusing"
    );
}

#[test]
fn fuse_rejects_a_part_that_defines_a_resource() {
    assert_eq!(
        error(&part("files", "export t:parts/files@0.1.0;")),
        "cannot be fused: a part defines a resource of its own; use the component without fusing"
    );
}

#[test]
fn fuse_rejects_an_imported_core_module() {
    let component = from_wat(
        r#"(component
            (import "m" (core module $m (export "f" (func))))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (export "f" (func $f)))"#,
    );
    let component = Component::new("imports", component).expect("a component");
    assert_eq!(
        error(&component),
        "cannot be fused: it imports a core module; use the component without fusing"
    );
}

/// A component of the core modules `modules`, whose instance `$last` exports the function `f`.
fn of_modules(modules: &str) -> Component {
    let component = from_wat(&format!(
        r#"(component {modules}
            (func $f (canon lift (core func $last "f")))
            (export "f" (func $f)))"#
    ));
    Component::new("modules", component).expect("a component")
}

#[test]
fn data_offsets_may_use_imported_constants() {
    for offset in [
        "(global.get $base)",
        "(offset (i32.add (i32.const 8) (i32.const 8)))",
        "(offset (i32.sub (i32.mul (global.get $base) (i32.const 3)) (i32.const 8)))",
    ] {
        let component = of_modules(&format!(
            r#"(core module $a (global (export "base") i32 (i32.const 8)))
            (core instance $a (instantiate $a))
            (core module $b
                (import "a" "base" (global $base i32))
                (memory 1)
                (data {offset} "x")
                (func (export "f")))
            (core instance $last (instantiate $b (with "a" (instance $a))))"#
        ));
        let expected: &[u8] = match offset {
            "(global.get $base)" => &[0x41, 8, 0x0b, 1, b'x'],
            _ => &[0x41, 16, 0x0b, 1, b'x'],
        };
        let bytes = fused(&component).bytes;
        assert!(
            bytes.windows(5).any(|window| window == expected),
            "{offset}"
        );
    }
}

#[test]
fn fuse_rejects_a_segment_after_a_start_function() {
    let component = |start: &str| {
        of_modules(&format!(
            r#"(core module $a
                (memory (export "m") 1)
                (func $start (i32.store8 (i32.const 0) (i32.const 1)))
                {start})
            (core instance $a (instantiate $a))
            (core module $b
                (import "a" "m" (memory 1))
                (data (i32.const 0) "\02")
                (func (export "f")))
            (core instance $last (instantiate $b (with "a" (instance $a))))"#
        ))
    };
    assert_eq!(
        error(&component("(start $start)")),
        "cannot be fused: a part fills a memory or table of another that has started before; use the component without fusing"
    );
    fused(&component(""));
}

/// The modules of a shim, its fixup, and one that calls the shim.
fn with_shim(exports: &str, target: &str, more: &str) -> Component {
    of_modules(&format!(
        r#"(core module $shim
            (type $f (func))
            (table (export "t") 1 1 funcref)
            (func (export "f") (type $f) (call_indirect (type $f) (i32.const 0))))
        (core instance $shim (instantiate $shim))
        (core module $real (func (export "f")))
        (core instance $real (instantiate $real))
        (alias core export $shim "f" (core func $of-shim))
        (alias core export $real "f" (core func $of-real))
        (alias core export $shim "t" (core table $t))
        (core module $fixup
            (import "" "t" (table $t 1 1 funcref))
            (import "" "f" (func $f))
            (elem (i32.const 0) func $f)
            {exports})
        (core instance $arguments
            (export "t" (table $t))
            (export "f" (func {target})))
        (core instance $fixup (instantiate $fixup (with "" (instance $arguments))))
        (core module $user
            (import "shim" "f" (func $f))
            (func (export "f") (call $f)))
        (core instance $last (instantiate $user (with "shim" (instance $shim))))
        {more}"#
    ))
}

#[test]
fn calls_through_a_shim_become_direct() {
    let component = with_shim("", "$of-real", "");
    let Fused { before, after, .. } = fused(&component);
    assert_eq!((before.tables, after.tables), (1, 0));
}

#[test]
fn a_shim_with_a_shared_table_is_kept() {
    let reader = r#"
        (core module $reader (import "fixup" "t" (table 1 1 funcref)))
        (core instance (instantiate $reader (with "fixup" (instance $fixup))))"#;
    let component = with_shim(r#"(export "t" (table $t))"#, "$of-real", reader);
    assert_eq!(fused(&component).after.tables, 1);
}

#[test]
fn a_cyclic_shim_is_kept() {
    assert_eq!(fused(&with_shim("", "$of-shim", "")).after.tables, 1);
}

#[test]
fn fuse_rejects_an_async_component() {
    let component = of_modules(
        r#"(core module $m (func (export "f")))
        (core instance $last (instantiate $m))
        (type $f (func async))
        (func $g (canon lift (core func $last "f")))
        (func $async (type $f) (canon lift (core func $last "f")))
        (export "g" (func $async))"#,
    );
    let message = error(&component);
    assert!(message.contains("async"), "{message}");
}

#[test]
fn fuse_rejects_an_import_after_a_part() {
    let component = from_wat(r#"(component (core module) (import "log" (func)))"#);
    let component = Component::new("late", component).expect("a component");
    assert_eq!(
        error(&component),
        "cannot be fused: its imports do not come before its parts; use the component without fusing"
    );
}

#[test]
fn fuse_keeps_the_names_of_nested_types() {
    let lines = component(
        "lines",
        "package t:t; world t { export shapes; }
         interface shapes {
            record point { x: u32, y: u32 }
            record line { start: point, end: point }
            variant shape { point(point), line(line), none }
            f: func(shapes: list<shape>) -> option<line>;
         }",
    );
    assert_eq!(wit(lines.bytes()), wit(&fused(&lines).bytes));
}

#[test]
fn imported_globals_are_replaced_by_their_initial_values() {
    let component = of_modules(
        r#"(core module $a
            (global (export "base") i32 (i32.const 40))
            (memory (export "memory") 1))
        (core instance $a (instantiate $a))
        (core module $b
            (import "a" "base" (global $base i32))
            (import "a" "memory" (memory 1))
            (global $next i32 (i32.add (global.get $base) (i32.const 2)))
            (table 64 funcref)
            (elem (global.get $base) func $f)
            (func $f (export "f") (drop (global.get $next))))
        (core instance $last (instantiate $b (with "a" (instance $a))))"#,
    );
    let fused = fused(&component);
    // The features of a host without a garbage collector.
    let mut features = wasmparser::WasmFeatures::default();
    features.remove(wasmparser::WasmFeatures::GC);
    let mut validator = wasmparser::Validator::new_with_features(features);
    let validated = validator.validate_all(&fused.bytes);
    validated.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(wit(&fused.bytes), wit(component.bytes()));
}

#[test]
fn cost_counts_at_least_one_core_instance_per_part() {
    let composition = composition();
    let parts = inspect(&composition).parts.len();
    let cost = cost(&composition).expect("it can be counted");
    assert!(cost.core_instances >= parts, "{cost:?}");
}

#[test]
fn a_component_of_a_thousand_million_instances_is_not_counted_or_fused() {
    let mut text = "(component $c (import \"f\" (func)))".to_owned();
    for _ in 0..30 {
        let instance = "(instance (instantiate $c (with \"f\" (func $f))))";
        text = format!("(component $c (import \"f\" (func $f)) {text} {instance} {instance})");
    }
    let component = Component::new("whole", from_wat(&text)).expect("valid");
    assert_eq!(cost(&component), None);
    assert!(fuse(&component).is_err());
}
