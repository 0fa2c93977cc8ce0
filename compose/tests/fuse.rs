//! Fusing: what comes out has the same outside, and less inside.

mod support;

use compose::{Component, Cost, Fused, fuse, link};
use pretty_assertions::assert_eq;
use support::{chain, component, from_wat};
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

fn part(name: &str, world: &str) -> Component {
    component(
        name,
        &format!("package t:test; world test {{ {world} }} {INTERFACES}"),
    )
}

/// Two parts that exchange lists and strings, and take both from the host, too.
fn composition() -> Component {
    let root = part(
        "root",
        "import t:parts/words@0.1.0; import t:parts/log@0.1.0; export t:parts/clock@0.1.0;",
    );
    let words = part(
        "words",
        "import t:parts/log@0.1.0; import t:parts/files@0.1.0; export t:parts/words@0.1.0;",
    );
    let linked = link(&root, &[words]).expect("fits");
    Component::new("composition", linked.bytes).expect("a component")
}

fn fused(component: &Component) -> Fused {
    fuse(component).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

/// The imports and exports, with all of their types.
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
fn a_fused_composition_imports_and_exports_the_same() {
    let composition = composition();
    assert_eq!(wit(composition.bytes()), wit(&fused(&composition).bytes));
}

#[test]
fn an_export_with_types_of_its_own_keeps_their_names() {
    let words = part("words", "export t:parts/words@0.1.0;");
    assert_eq!(wit(words.bytes()), wit(&fused(&words).bytes));
}

#[test]
fn an_export_that_uses_a_resource_of_the_host_keeps_it() {
    let shelf = part(
        "shelf",
        "import t:parts/files@0.1.0; export t:parts/shelf@0.1.0;",
    );
    assert_eq!(wit(shelf.bytes()), wit(&fused(&shelf).bytes));
}

#[test]
fn two_core_instances_are_left() {
    let Fused { before, after, .. } = fused(&composition());
    // Each part has a shim, a fixup and itself; the call between them is one more.
    let expected = Cost {
        core_instances: 7,
        memories: 2,
        tables: 2,
    };
    assert_eq!(before, expected);
    // The tables of both shims are gone, and that of the allocators has come.
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
    let linked = link(&once, &[log]).expect("fits");
    let linked = Component::new("linked", linked.bytes).expect("a component");
    assert_eq!(wit(linked.bytes()), wit(&fused(&linked).bytes));
}

#[test]
fn equal_inputs_give_equal_bytes() {
    assert_eq!(fused(&composition()).bytes, fused(&composition()).bytes);
}

fn refusal(component: &Component) -> String {
    chain(&fuse(component).expect_err("cannot be fused"))
}

#[test]
fn parts_that_hand_each_other_resources_are_refused() {
    let root = part(
        "root",
        "import t:parts/shelf@0.1.0; export t:parts/clock@0.1.0;",
    );
    let shelf = part(
        "shelf",
        "import t:parts/files@0.1.0; export t:parts/shelf@0.1.0;",
    );
    let linked = link(&root, &[shelf]).expect("fits");
    let linked = Component::new("linked", linked.bytes).expect("a component");
    assert_eq!(
        refusal(&linked),
        "it cannot be fused: one of its parts hands a resource to another; it runs as it is"
    );
}

#[test]
fn a_part_that_defines_a_resource_is_refused() {
    assert_eq!(
        refusal(&part("files", "export t:parts/files@0.1.0;")),
        "it cannot be fused: a part defines a resource of its own; it runs as it is"
    );
}

#[test]
fn a_component_that_imports_a_module_is_refused() {
    let component = from_wat(
        r#"(component
            (import "m" (core module $m (export "f" (func))))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (export "f" (func $f)))"#,
    );
    let component = Component::new("imports", component).expect("a component");
    assert_eq!(
        refusal(&component),
        "it cannot be fused: it imports a core module; it runs as it is"
    );
}

#[test]
fn data_that_is_placed_at_the_start_is_refused() {
    let component = from_wat(
        r#"(component
            (core module $base (global (export "base") i32 (i32.const 8)))
            (core instance $base (instantiate $base))
            (core module $m
                (import "base" "base" (global $base i32))
                (memory 1)
                (data (global.get $base) "x")
                (func (export "f")))
            (core instance $m (instantiate $m (with "base" (instance $base))))
            (func $f (canon lift (core func $m "f")))
            (export "f" (func $f)))"#,
    );
    let component = Component::new("placed", component).expect("a component");
    assert_eq!(
        refusal(&component),
        "it cannot be fused: a part decides where its data lies when it starts; it runs as it is"
    );
}
