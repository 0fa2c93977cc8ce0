//! Worlds that name types: `use` of types of an interface, and types of the world.

mod support;

use compose::{
    Component, Composed, Composition, LinkOptions, World, chain, check, deny_imports, diff,
    emit_wac, inspect, link, run_wac, swap, verify,
};
use pretty_assertions::assert_eq;
use support::{component, linked};
use test_components::{from_wat, nested_wasi};

const INTERFACES: &str = "
    package t:p@0.1.0 {
      interface t {
        resource res { constructor(); }
        enum color { red, green }
        record pixel { color: color }
      }
      interface balances { record balance { amount: u32 } get: func() -> balance; }
      interface wallets {
        use balances.{balance};
        record wallet { balance: balance }
        open: func() -> wallet;
      }
      interface shop { use wallets.{wallet}; pay: func(wallet: wallet); }
    }
";

fn part(name: &str, world: &str) -> Component {
    component(
        name,
        &format!("package t:test; world test {{ {world} }} {INTERFACES}"),
    )
}

/// A root that names all kinds of types.
fn root() -> Component {
    part(
        "root",
        "use t:p/t@0.1.0.{res, color, pixel}; enum shade { a, b } record mine { shade: shade }
         import g: func(x: res); export run: func(c: color, p: pixel, m: mine);",
    )
}

fn provider() -> Component {
    part("t", "export t:p/t@0.1.0;")
}

fn user() -> Component {
    part("g", "use t:p/t@0.1.0.{res}; export g: func(x: res);")
}

fn whole(composed: &Composed) -> Component {
    Component::new("whole", composed.bytes.as_slice()).expect("a valid component")
}

#[test]
fn named_types_of_a_world_are_not_host_imports() {
    let root = root();
    assert_eq!(root.imports().collect::<Vec<_>>(), ["t:p/t@0.1.0", "g"]);
    let world = format!(
        "package t:host; world host {{ use t:p/t@0.1.0.{{res}}; import g: func(x: res); }} \
         {INTERFACES}"
    );
    let world = World::from_wit(&[("host.wit".to_owned(), world)], Some("host")).expect("a world");
    assert_eq!(check(&root, &world).to_string(), "");

    let inspection = inspect(&root);
    let imports: Vec<&str> = inspection
        .imports
        .iter()
        .map(|import| import.import.as_str())
        .collect();
    assert_eq!(imports, ["g", "t:p/t@0.1.0"]);
    let denied = deny_imports(&Composition::of(&root), &["*"]);
    assert_eq!(denied.diagnostics.len(), 2, "{denied}");
}

#[test]
fn check_accepts_named_wasi_types_in_the_proxy_world() {
    let wit = format!(
        "package t:test;
         world test {{
           use wasi:http/types@0.2.12.{{method, incoming-request}};
           include wasi:http/proxy@0.2.12;
           export classify: func(method: method, request: incoming-request);
         }}
         {}",
        nested_wasi()
    );
    let world = World::wasi_http_proxy().expect("the world");
    let report = check(&component("app", &wit), &world);
    assert_eq!(report.to_string(), "");
}

#[test]
fn a_resource_of_a_world_is_a_host_import() {
    let app = Component::new(
        "app",
        from_wat(r#"(component (import "res" (type (sub resource))))"#),
    )
    .expect("a component");
    let world = World::wasi_http_proxy().expect("the world");
    let report = check(&app, &world).to_string();
    assert!(
        report.contains("`app` imports `res`, which the world does not have"),
        "{report}"
    );
}

#[test]
fn a_named_resource_comes_from_the_provider_of_its_interface() {
    let composed = linked(&root(), &[provider(), user()]).expect("they fit");
    let wires: Vec<String> = composed
        .composition
        .wires
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        wires,
        [
            "root -- g --> g",
            "root -- t:p/t@0.1.0 --> t",
            "g -- t:p/t@0.1.0 --> t"
        ]
    );
    assert_eq!(composed.composition.host_imports, Vec::<String>::new());
    assert_eq!(composed.composition.undescribed, Vec::<String>::new());
    let verification = verify("whole", &composed.bytes);
    assert_eq!(verification.report.to_string(), "");

    // The composition supports `swap`, and round-trips through WAC.
    let whole = whole(&composed);
    let (plan, parts) = swap(&whole, vec![user()]).expect("a plan has words for it");
    let swapped = plan.encode(&parts).expect("it is composed again");
    assert!(diff(&composed.composition, &swapped.composition).is_empty());
    let text = emit_wac(&composed.composition);
    let bytes = run_wac("root.wac", &text, &[root(), provider(), user()]).expect("it is composed");
    let again = Component::new("whole", bytes).expect("a valid component");
    assert_eq!(Composition::of(&again).wires, composed.composition.wires);
}

#[test]
fn wac_passes_unresolved_named_types_with_their_interface() {
    let text = r#"package a:b;
let t = new parts:t {};
let g = new parts:g { "t:p/t@0.1.0": t["t:p/t@0.1.0"], ... };
let root = new parts:root { "t:p/t@0.1.0": t["t:p/t@0.1.0"], g: g.g, ... };
export root.run;
"#;
    let error = run_wac("a.wac", text, &[root(), provider(), user()]).expect_err("no name outside");
    let remedy = "that another component provides: export that interface as well";
    assert!(error.to_string().ends_with(remedy), "{error}");

    let text = format!("{text}export t[\"t:p/t@0.1.0\"];\n");
    let bytes = run_wac("a.wac", &text, &[root(), provider(), user()]).expect("it is composed");
    let whole = Component::new("whole", bytes).expect("a valid component");
    assert_eq!(whole.imports().count(), 0);
}

#[test]
fn interfaces_needed_by_types_are_exported_first() {
    let root = part("root", "export t:p/shop@0.1.0;");
    let bank = part(
        "bank",
        "export t:p/balances@0.1.0; export t:p/wallets@0.1.0;",
    );
    let composed = linked(&root, &[bank]).expect("they fit");
    let exports = |composition: &Composition| -> Vec<String> {
        let exports = composition.exports.iter();
        exports.map(|export| export.name.clone()).collect()
    };
    // Only needed interfaces.
    assert_eq!(
        exports(&composed.composition),
        ["t:p/shop@0.1.0", "t:p/wallets@0.1.0"]
    );
    let whole = whole(&composed);
    let other = part(
        "bank",
        "export t:p/balances@0.1.0; export t:p/wallets@0.1.0;",
    );
    let (plan, parts) = swap(&whole, vec![other]).expect("a plan has words for it");
    let swapped = plan.encode(&parts).expect("it is composed again");
    assert_eq!(swapped.bytes, composed.bytes);
}

#[test]
fn unneeded_interfaces_are_not_exported() {
    let root = part("root", "import t:p/balances@0.1.0; export run: func();");
    let bank = part("bank", "export t:p/balances@0.1.0;");
    let plan = link(&root, std::slice::from_ref(&bank), &LinkOptions::default()).expect("a plan");
    let composed = plan.encode([&root, &bank]).expect("they fit");
    assert_eq!(composed.composition.exports.len(), 1);
}

#[test]
fn chain_accepts_a_middleware_with_types_of_a_part() {
    let gate = part("gate", "import t:p/shop@0.1.0; export t:p/shop@0.1.0;");
    let app = part("app", "export t:p/shop@0.1.0;");
    let bank = part(
        "bank",
        "export t:p/balances@0.1.0; export t:p/wallets@0.1.0;",
    );
    let parts = [bank];
    let middlewares = [gate];
    let options = LinkOptions::default();
    let plan = chain("t:p/shop", &middlewares, &app, &parts, &options).expect("a plan");
    let composed = plan
        .encode(middlewares.iter().chain(&parts).chain([&app]))
        .expect("they fit");
    let names: Vec<&str> = composed
        .composition
        .exports
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    assert_eq!(names, ["t:p/shop@0.1.0", "t:p/wallets@0.1.0"]);
}

#[test]
fn not_encodable_names_the_function_with_a_type_of_a_part() {
    let record = part(
        "root",
        "use t:p/t@0.1.0.{pixel}; import g: func(p: pixel); export run: func(p: pixel);",
    );
    for root in [root(), record] {
        let report = linked(&root, &[provider()]).expect_err("no name outside");
        let text = report.to_string();
        for part in [
            "`root` imports the function `g`, which no component provides",
            "names types of `t:p/t@0.1.0`, which `t` provides",
            "link a component that exports `g`, or leave out `t`",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
