//! Fusing components of WASI 0.3: the error names the parts and what can be fused instead.

use compose::{Component, LinkOptions, link};
use compose_fuse::{FuseError, cost, fuse};
use pretty_assertions::assert_eq;
use test_components::{error_chain, from_wit, nested_wasi_0_3};

const INTERFACES: &str = "
    package t:parts@0.1.0 {
      interface cipher { encrypt: func(text: string) -> string; }
      interface log { line: func(text: string); }
      interface clock { now: func() -> u64; }
      interface store { resource item; find: func() -> item; }
    }
";

const LATER: &str = "fusing supports synchronous calls only, and not those of WASI 0.3";

fn part(name: &str, world: &str) -> Component {
    let wasi = nested_wasi_0_3();
    let wit = format!("package t:test; world test {{ {world} }} {INTERFACES} {wasi}");
    Component::new(name, from_wit(&wit)).expect("a component")
}

/// A service of WASI 0.3 with further imports.
fn service(imports: &str) -> Component {
    let http = "import wasi:http/types@0.3.0; export wasi:http/handler@0.3.0;";
    part("service", &format!("{imports} {http}"))
}

fn cipher() -> Component {
    part(
        "cipher",
        "import t:parts/log@0.1.0; import t:parts/clock@0.1.0; export t:parts/cipher@0.1.0;",
    )
}

fn log() -> Component {
    part("log", "export t:parts/log@0.1.0;")
}

fn clock() -> Component {
    part("clock", "export t:parts/clock@0.1.0;")
}

fn linked(name: &str, root: &Component, parts: &[Component]) -> Component {
    let plan = link(root, parts, &LinkOptions::default()).expect("fits");
    let composed = plan.encode(parts.iter().chain([root])).expect("fits");
    Component::new(name, composed.bytes).expect("a component")
}

fn error(component: &Component) -> String {
    error_chain(&fuse(component).expect_err("cannot be fused"))
}

#[test]
fn fuse_of_a_service_of_0_3_names_its_asynchronous_interfaces() {
    assert_eq!(
        error(&service("")),
        format!(
            "cannot be fused: it imports `wasi:http/types@0.3.0` (stream, future), and exports \
             `wasi:http/handler@0.3.0` (async); {LATER}; use the component without fusing"
        )
    );
}

#[test]
fn fuse_of_a_composition_names_its_asynchronous_parts() {
    let gate = part(
        "gate",
        "import wasi:http/handler@0.3.0; export wasi:http/handler@0.3.0;",
    );
    let whole = linked("whole", &gate, &[service("")]);
    assert_eq!(
        error(&whole),
        format!(
            "cannot be fused: its part `gate` imports `wasi:http/types@0.3.0` (stream, future) and \
             `wasi:http/handler@0.3.0` (async), and exports `wasi:http/handler@0.3.0` (async); its \
             part `service` imports `wasi:http/types@0.3.0` (stream, future), and exports \
             `wasi:http/handler@0.3.0` (async); {LATER}; use the component without fusing"
        )
    );
}

#[test]
fn fuse_names_the_parts_of_0_2_that_can_be_fused_before_linking() {
    let adapter = service("import t:parts/cipher@0.1.0;");
    let parts = [cipher(), log(), clock()];
    let app = linked("app", &adapter, &parts);
    let advice = "use the component without fusing, or fuse its parts of WASI 0.2 before linking: \
                  link `cipher` with `clock` and `log`, fuse the result, and link it in place of \
                  these parts";
    let message = error(&app);
    assert!(
        message.ends_with(&format!("{LATER}; {advice}")),
        "{message}"
    );

    let core = linked("core", &parts[0], &parts[1..]);
    let fused = Component::new("fused", fuse(&core).expect("fuses").bytes).expect("a component");
    let whole = linked("whole", &adapter, &[fused]);
    let instances = |component: &Component| cost(component).expect("counted").core_instances;
    assert!(instances(&whole) < instances(&app));

    // A composition in a composition has its parts under longer names.
    let gate = part(
        "gate",
        "import wasi:http/handler@0.3.0; export wasi:http/handler@0.3.0;",
    );
    let message = error(&linked("gated", &gate, &[app]));
    let advice = "link `app/cipher` with `app/clock` and `app/log`";
    assert!(message.contains(advice), "{message}");
}

#[test]
fn fuse_advises_only_what_can_be_fused() {
    let advised = |root: &Component, parts: &[Component]| match fuse(&linked("app", root, parts))
        .expect_err("cannot be fused")
    {
        FuseError::Asynchronous(found) => found.fusible.map(|fusible| fusible.root),
        other => panic!("{other}"),
    };
    let adapter = service("import t:parts/cipher@0.1.0;");
    assert_eq!(
        advised(&adapter, &[cipher(), log()]).as_deref(),
        Some("cipher")
    );
    // One part is not a composition.
    assert_eq!(advised(&adapter, &[cipher()]), None);
    // Parts that pass a resource to each other cannot be fused.
    let finder = part(
        "finder",
        "import t:parts/store@0.1.0; export t:parts/cipher@0.1.0;",
    );
    let store = part("store", "export t:parts/store@0.1.0;");
    assert_eq!(advised(&adapter, &[finder, store]), None);
    // Both need the log, so that it cannot become a part of the fused one.
    let both = service("import t:parts/cipher@0.1.0; import t:parts/log@0.1.0;");
    assert_eq!(advised(&both, &[cipher(), log()]), None);
}
