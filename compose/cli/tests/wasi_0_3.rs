//! The program on components of WASI 0.3.

mod support;

use pretty_assertions::assert_eq;
use support::{Folder, code, json, stderr, stdout};
use test_components::{from_wit, nested_wasi, nested_wasi_0_3};

/// A folder with the files of a service and of its parts.
fn folder() -> Folder {
    let folder = Folder::new();
    let cipher =
        "package t:cipher@0.1.0 { interface cipher { encrypt: func(text: string) -> string; } }";
    let wasi = nested_wasi() + &nested_wasi_0_3();
    for (name, world) in [
        (
            "service.wasm",
            "import t:cipher/cipher@0.1.0; import wasi:http/types@0.3.0;
             export wasi:http/handler@0.3.0;",
        ),
        (
            "gate.wasm",
            "import wasi:cli/environment@0.3.0; import wasi:http/handler@0.3.0;
             export wasi:http/handler@0.3.0;",
        ),
        (
            "cipher.wasm",
            "import wasi:cli/environment@0.2.12; export t:cipher/cipher@0.1.0;",
        ),
        ("proxy.wasm", "export wasi:http/incoming-handler@0.2.12;"),
    ] {
        let wit = format!("package t:app; world app {{ {world} }} {cipher} {wasi}");
        folder.write(name, &from_wit(&wit));
    }
    folder
}

#[test]
fn check_world_accepts_service_middleware_and_a_world_of_a_dependency() {
    let folder = folder();
    let run = |arguments: &[&str]| {
        let output = folder.run(arguments);
        assert_eq!(code(&output), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    run(&[
        "env",
        "--set",
        "A=1",
        "--for",
        "cipher.wasm",
        "--for",
        "gate.wasm",
        "-o",
        "env.wasm",
    ]);
    run(&[
        "link",
        "service.wasm",
        "--with",
        "cipher.wasm",
        "env.wasm",
        "-o",
        "app.wasm",
    ]);
    let text = run(&["check", "app.wasm", "--world", "service"]);
    assert!(
        text.starts_with(
            "`app` runs on hosts with the core features below and `wasi:http/service`\n\
             core feature component-model-async\n"
        ),
        "{text}"
    );
    run(&[
        "link",
        "gate.wasm",
        "--with",
        "env.wasm",
        "-o",
        "closed.wasm",
    ]);
    run(&["check", "closed.wasm", "--world", "middleware"]);
    folder.write(
        "host.wit",
        b"package t:host; world host { include wasi:http/service@0.3.0; }",
    );
    for world in [
        "host.wit#wasi:http/service",
        "host.wit#wasi:http/service@0.3.0",
    ] {
        run(&["check", "app.wasm", "--world", world]);
    }
}

#[test]
fn check_world_proxy_of_a_service_names_the_world_service() {
    let output = folder().run(&["check", "service.wasm", "--world", "proxy"]);
    assert_eq!(code(&output), Some(2));
    let message = stderr(&output);
    assert!(
        message.contains("check it against the world `service`"),
        "{message}"
    );
}

#[test]
fn fuse_of_a_service_of_0_3_exits_5() {
    let folder = folder();
    let output = folder.run(&["fuse", "service.wasm", "-o", "fused.wasm"]);
    assert_eq!(code(&output), Some(5));
    let message = stderr(&output);
    assert!(
        message.starts_with("error: `service.wasm`: cannot be fused: it imports "),
        "{message}"
    );
    assert!(message.contains("WASI 0.3"), "{message}");
    assert!(!folder.path("fused.wasm").exists());
}

#[test]
fn chain_before_an_app_of_0_2_exits_2() {
    let folder = folder();
    let output = folder.run(&[
        "chain",
        "--on",
        "wasi:http/handler",
        "gate.wasm",
        "-o",
        "gated.wasm",
        "--",
        "proxy.wasm",
    ]);
    assert_eq!(code(&output), Some(2));
    let message = stderr(&output);
    assert!(message.contains("`middleware = [...]`"), "{message}");
}

#[test]
fn env_for_exports_the_releases_that_its_importers_import() {
    let folder = folder();
    let exports = |importers: &[&str]| {
        let env = folder.run(&[&["env", "--set", "A=1", "-o", "env.wasm"], importers].concat());
        assert_eq!(code(&env), Some(0), "{}", stderr(&env));
        let output = folder.run(&["inspect", "env.wasm", "--format", "json"]);
        let exports = json(&output)["exports"].clone();
        let exports = exports.as_array().expect("a list").clone();
        let names = exports
            .iter()
            .map(|export| export["name"].as_str().map(str::to_owned));
        names
            .map(|name| name.expect("a name"))
            .collect::<Vec<String>>()
    };
    let (of_0_2, of_0_3) = ("wasi:cli/environment@0.2.12", "wasi:cli/environment@0.3.0");
    assert_eq!(exports(&[]), [of_0_2]);
    assert_eq!(exports(&["--for", "proxy.wasm"]), [of_0_2]);
    assert_eq!(exports(&["--for", "gate.wasm"]), [of_0_3]);
    assert_eq!(
        exports(&["--for", "gate.wasm", "--for", "cipher.wasm"]),
        [of_0_2, of_0_3]
    );
}

#[test]
fn inspect_and_graph_mark_asynchronous_interfaces() {
    let folder = folder();
    folder.run(&[
        "link",
        "service.wasm",
        "--with",
        "cipher.wasm",
        "-o",
        "app.wasm",
    ]);
    let text = stdout(&folder.run(&["inspect", "app.wasm"]));
    for line in [
        "service -- t:cipher/cipher@0.1.0 --> cipher\n",
        "service -- wasi:http/types@0.3.0 --> (host) [stream, future]\n",
        "export wasi:http/handler@0.3.0 of service [async]\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    folder.run(&[
        "link",
        "gate.wasm",
        "--with",
        "app.wasm",
        "-o",
        "gated.wasm",
    ]);
    let text = stdout(&folder.run(&["inspect", "gated.wasm"]));
    let wire = "gate -- wasi:http/handler@0.3.0 --> app/service [async]\n";
    assert!(text.contains(wire), "{text}");
    let picture = stdout(&folder.run(&["graph", "gated.wasm", "--format", "mermaid"]));
    assert!(
        picture.contains(r#"|"wasi:http/handler@0.3.0 (async)"|"#),
        "{picture}"
    );
}

#[test]
fn graph_of_a_plan_marks_asynchronous_interfaces() {
    let folder = folder();
    let plan = folder.run(&[
        "link",
        "service.wasm",
        "--with",
        "cipher.wasm",
        "--dry-run",
        "--format",
        "json",
    ]);
    folder.write("plan.json", &plan.stdout);
    let picture = stdout(&folder.run(&["graph", "plan.json", "--format", "dot"]));
    assert!(
        picture.contains("wasi:http/handler@0.3.0 (async)"),
        "{picture}"
    );
}
