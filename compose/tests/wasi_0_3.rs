//! Components of WASI 0.3: chains, stubs, environments in a manifest, and asynchronous interfaces.

mod support;

use std::collections::BTreeMap;

use compose::{
    AsyncInterfaces, Component, Composition, GraphFormat, LinkOptions, Manifest, StubSource, chain,
    graph, graph_with, inspect, is_asynchronous, run_wac, stub,
};
use pretty_assertions::assert_eq;
use support::{component, linked};
use test_components::{nested_wasi, nested_wasi_0_3};

const SERVICE: &str = "import wasi:http/types@0.3.0; export wasi:http/handler@0.3.0;";
const MIDDLEWARE: &str = "import wasi:http/handler@0.3.0; export wasi:http/handler@0.3.0;";
const PROXY: &str = "export wasi:http/incoming-handler@0.2.12;";
const MIDDLEWARE_0_2: &str =
    "import wasi:http/incoming-handler@0.2.12; export wasi:http/incoming-handler@0.2.12;";

/// A component with a world of both releases, and the interface of a cipher.
fn part(name: &str, world: &str) -> Component {
    let cipher =
        "package t:cipher@0.1.0 { interface cipher { encrypt: func(text: string) -> string; } }";
    let wasi = nested_wasi() + &nested_wasi_0_3();
    let wit = format!("package t:app; world app {{ {world} }} {cipher} {wasi}");
    component(name, &wit)
}

/// The findings for a chain of one middleware and an app.
fn findings(interface: &str, middleware: &str, app: &str) -> Vec<String> {
    let middleware = [part("gate", middleware)];
    let options = LinkOptions::default();
    let report = chain(interface, &middleware, &part("app", app), &[], &options);
    let report = report.expect_err("does not fit");
    report.diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn chain_before_an_app_of_0_2_names_the_server_and_the_adapter() {
    assert_eq!(
        findings("wasi:http/handler", MIDDLEWARE, PROXY),
        [
            "error[missing-export]: `app` does not export `wasi:http/handler`, the interface of \
             the chain; it exports `wasi:http/incoming-handler@0.2.12`; \
             `wasi:http/incoming-handler@0.2.12` is the handler of WASI 0.2: serve `app` with \
             component-runner, as a function with `middleware = [...]`, or compose it with an \
             adapter that exports `wasi:http/handler`"
        ]
    );
}

#[test]
fn chain_before_an_app_of_0_3_asks_for_middleware_of_0_3() {
    assert_eq!(
        findings("wasi:http/incoming-handler@0.2.0", MIDDLEWARE_0_2, SERVICE),
        [
            "error[missing-export]: `app` does not export `wasi:http/incoming-handler@0.2.0`, the \
             interface of the chain; it exports `wasi:http/handler@0.3.0`; \
             `wasi:http/handler@0.3.0` is the handler of WASI 0.3: use middleware of WASI 0.3"
        ]
    );
}

#[test]
fn chain_with_middleware_of_the_other_release_names_its_handler() {
    let found = findings("wasi:http/handler", MIDDLEWARE_0_2, SERVICE);
    assert_eq!(found.len(), 2, "{found:?}");
    for finding in found {
        let remedy = "`wasi:http/incoming-handler@0.2.12` is the handler of WASI 0.2: chain on \
                      it, or use a middleware of WASI 0.3";
        assert!(finding.ends_with(remedy), "{finding}");
    }
}

#[test]
fn a_chain_of_0_3_has_the_handler_of_its_middleware() {
    let (gate, app) = ([part("gate", MIDDLEWARE)], part("app", SERVICE));
    let plan = chain(
        "wasi:http/handler",
        &gate,
        &app,
        &[],
        &LinkOptions::default(),
    );
    let composed = plan
        .expect("fits")
        .encode(gate.iter().chain([&app]))
        .expect("fits");
    let wires: Vec<_> = composed
        .composition
        .wires
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(wires, ["gate -- wasi:http/handler@0.3.0 --> app"]);
}

/// The exports of the component `environment` in a composition that a manifest declares.
fn environment_in(manifest: &str) -> Vec<String> {
    let gate = "import wasi:cli/environment@0.3.0; ".to_owned() + MIDDLEWARE;
    let files: BTreeMap<String, Vec<u8>> = [
        ("gate.wasm", gate.as_str()),
        (
            "service.wasm",
            "import t:cipher/cipher@0.1.0; export wasi:http/handler@0.3.0;",
        ),
        (
            "cipher.wasm",
            "import wasi:cli/environment@0.2.12; export t:cipher/cipher@0.1.0;",
        ),
    ]
    .map(|(name, world)| (name.to_owned(), part("part", world).bytes().to_vec()))
    .into();
    let files_of = "[components]\nservice = { file = 'service.wasm' }\n\
         cipher = { file = 'cipher.wasm' }\nenvironment = { env = { A = '1' } }\n";
    let manifest = Manifest::parse(&format!("{files_of}{manifest}")).expect("valid");
    let outputs = manifest.build(&files, |_| Err::<Vec<u8>, _>("not fused"));
    let outputs =
        outputs.unwrap_or_else(|error| panic!("{}", test_components::error_chain(&error)));
    let whole = Component::new("whole", outputs[0].bytes.as_slice()).expect("valid");
    assert!(
        whole
            .imports()
            .all(|import| !import.contains("environment"))
    );
    let bytes = compose::extract(&whole, "environment").expect("a part");
    let environment = Component::new("environment", bytes).expect("valid");
    environment.exports().map(str::to_owned).collect()
}

#[test]
fn an_env_of_a_manifest_exports_what_the_files_beside_it_import() {
    let link = "[components.app]\nlink = 'service'\nwith = ['cipher', 'environment']\noutput = 'app.wasm'\n";
    assert_eq!(environment_in(link), ["wasi:cli/environment@0.2.12"]);
    let both = "
        [components.gate]
        file = 'gate.wasm'
        [components.app]
        link = 'service'
        with = ['cipher']
        [components.gated]
        chain = ['gate']
        on = 'wasi:http/handler'
        around = 'app'
        with = ['environment']
        output = 'gated.wasm'
    ";
    assert_eq!(
        environment_in(both),
        ["wasi:cli/environment@0.2.12", "wasi:cli/environment@0.3.0"]
    );
}

#[test]
fn a_wac_text_may_target_a_world_of_0_3() {
    let text = "package t:whole targets wasi:http/service@0.3.0;
let app = new parts:app { ... };
export app...;
";
    let bytes = run_wac("a.wac", text, &[part("app", SERVICE)]);
    let bytes = bytes.unwrap_or_else(|error| panic!("{error}"));
    let whole = Component::new("whole", bytes).expect("valid");
    assert_eq!(
        whole.exports().collect::<Vec<_>>(),
        ["wasi:http/handler@0.3.0"]
    );
    let error = run_wac("a.wac", text, &[part("app", PROXY)]).expect_err("another release");
    let message = error.to_string();
    let world = "target world `wasi:http/service@0.3.0` does not have an import";
    assert!(message.contains(world), "{message}");
}

/// A service of 0.3 in front of a cipher of 0.2.
fn service() -> Component {
    let root = part(
        "service",
        "import t:cipher/cipher@0.1.0; import wasi:http/types@0.3.0;
         import wasi:clocks/monotonic-clock@0.3.0; export wasi:http/handler@0.3.0;",
    );
    let cipher = part("cipher", "export t:cipher/cipher@0.1.0;");
    let composed = linked(&root, &[cipher]).expect("fits");
    Component::new("app", composed.bytes).expect("valid")
}

#[test]
fn async_functions_streams_and_futures_of_interfaces_are_found_in_all_parts() {
    // The handler is only between two parts, one of which is a part of a part.
    let client = part(
        "client",
        "import wasi:http/handler@0.3.0; export run: func();",
    );
    let whole = linked(&client, &[service()]).expect("fits").bytes;
    let whole = Component::new("whole", whole).expect("valid");
    assert!(whole.exports().eq(["run"]));
    let json = serde_json::to_value(inspect(&whole)).expect("JSON");
    assert_eq!(
        json["async"],
        serde_json::json!({
            "wasi:clocks/monotonic-clock@0.3.0": ["async"],
            "wasi:http/handler@0.3.0": ["async"],
            "wasi:http/types@0.3.0": ["stream", "future"],
        })
    );
    assert!(is_asynchronous(&whole));
}

#[test]
fn components_of_0_2_have_no_asynchronous_interfaces() {
    let proxy = part("proxy", "include wasi:http/proxy@0.2.12;");
    assert!(AsyncInterfaces::of([&proxy]).is_empty());
    assert!(!is_asynchronous(&proxy));
    let json = serde_json::to_value(inspect(&proxy)).expect("JSON");
    assert_eq!(json.get("async"), None);
}

#[test]
fn pictures_have_the_asynchronous_features_of_interfaces() {
    let app = service();
    let composition = Composition::of(&app);
    let found = AsyncInterfaces::of([&app]);
    let draw = |format| graph_with(&composition, &found, format);
    for format in [GraphFormat::Mermaid, GraphFormat::Dot] {
        let picture = draw(format);
        for marked in [
            "wasi:http/handler@0.3.0 (async)",
            "wasi:http/types@0.3.0 (stream, future)",
        ] {
            assert!(picture.contains(marked), "{picture}");
        }
        assert!(!picture.contains("t:cipher/cipher@0.1.0 ("), "{picture}");
    }
    let picture = draw(GraphFormat::Svg);
    for marked in [
        ">async</text>",
        ">types (stream, future)</text>",
        "Asynchronous: wasi:clocks/monotonic-clock@0.3.0 (async), wasi:http/handler@0.3.0 (async), \
         wasi:http/types@0.3.0 (stream, future).",
    ] {
        assert!(picture.contains(marked), "{picture}");
    }
    assert_eq!(
        draw(GraphFormat::Json),
        graph(&composition, GraphFormat::Json)
    );
}

#[test]
fn an_interface_of_another_version_of_wasi_can_be_stubbed_without_wit() {
    for name in [
        "wasi:http/handler@0.3.0",
        "wasi:random/random@0.3.0",
        "wasi:random/random@0.2.3",
    ] {
        let bytes = stub(&[name.to_owned()], StubSource::Wit(&[])).expect("a stub");
        let stub = Component::new("stub", bytes).expect("a valid component");
        assert_eq!(stub.exports().collect::<Vec<_>>(), [name]);
    }
}
