//! `check` of components of WASI 0.3, and the worlds that it names.

mod support;

use compose::{Component, World, WorldError, check};
use pretty_assertions::assert_eq;
use support::component;
use test_components::{error_chain, nested_wasi, nested_wasi_0_3};

/// A component with a world of both releases.
fn app(world: &str) -> Component {
    let wasi = nested_wasi() + &nested_wasi_0_3();
    component(
        "app",
        &format!("package t:app; world app {{ {world} }} {wasi}"),
    )
}

fn findings(component: &Component, world: Result<World, WorldError>) -> Vec<String> {
    let findings = check(component, &world.expect("a world")).diagnostics;
    findings.iter().map(ToString::to_string).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn check_accepts_a_service_in_the_service_world() {
    let app = app("include wasi:http/service@0.3.0;");
    assert_eq!(findings(&app, World::wasi_http_service()), NONE);
}

#[test]
fn check_accepts_a_middleware_in_the_middleware_world_only() {
    let app = app("include wasi:http/middleware@0.3.0;");
    assert_eq!(findings(&app, World::wasi_http_middleware()), NONE);
    assert_eq!(
        findings(&app, World::wasi_http_service()),
        [
            "error[superfluous-import]: `app` imports `wasi:http/handler@0.3.0`, which the world \
             does not have; check it against the world `middleware`, or link a component that \
             exports it"
        ]
    );
}

#[test]
fn check_of_a_service_against_proxy_names_the_service_world() {
    let app = app(
        "import wasi:http/types@0.3.0; import wasi:clocks/system-clock@0.3.0;
         export wasi:http/handler@0.3.0;",
    );
    let instead =
        "check it against the world `service`, or build it for the release of WASI of this world";
    assert_eq!(
        findings(&app, World::wasi_http_proxy()),
        [
            format!(
                "error[superfluous-import]: `app` imports `wasi:clocks/types@0.3.0`, which the \
                 world does not have; {instead}"
            ),
            format!(
                "error[superfluous-import]: `app` imports `wasi:http/types@0.3.0`, and the world \
                 has `wasi:http/types@0.2.12`, which is on another version track; {instead}"
            ),
            format!(
                "error[superfluous-import]: `app` imports `wasi:clocks/system-clock@0.3.0`, which \
                 the world does not have; {instead}"
            ),
            "error[missing-export]: `app` does not export `wasi:http/incoming-handler@0.2.12`, \
             which the world expects; it exports `wasi:http/handler@0.3.0`: check it against the \
             world `service`"
                .to_owned(),
        ]
    );
}

#[test]
fn check_of_a_middleware_against_command_names_the_middleware_world() {
    let app = app("import wasi:http/handler@0.3.0; export wasi:http/handler@0.3.0;");
    let findings = findings(&app, World::wasi_cli_command());
    assert!(!findings.is_empty());
    for finding in findings {
        assert!(
            finding.contains("check it against the world `middleware`"),
            "{finding}"
        );
    }
}

#[test]
fn check_of_a_proxy_against_service_names_the_proxy_world() {
    let app = app("import wasi:io/error@0.2.12; export wasi:http/incoming-handler@0.2.12;");
    for world in [World::wasi_http_service(), World::wasi_http_middleware()] {
        let findings = findings(&app, world);
        assert!(!findings.is_empty());
        for finding in findings {
            assert!(
                finding.contains("check it against the world `proxy`"),
                "{finding}"
            );
        }
    }
}

#[test]
fn check_of_a_service_with_parts_of_0_2_names_their_release() {
    let app = app(
        "import wasi:cli/environment@0.2.12; import wasi:cli/stderr@0.2.12;
         export wasi:http/handler@0.3.0;",
    );
    let instead = "build the part that imports it for the release of WASI of this world, or run \
                   it on a host that also provides WASI 0.2";
    assert_eq!(
        findings(&app, World::wasi_http_service()),
        [
            "error[superfluous-import]: `app` imports `wasi:cli/environment@0.2.12`, which the \
             world does not have; link the component that `component-compose env` makes"
                .to_owned(),
            format!(
                "error[superfluous-import]: `app` imports `wasi:io/error@0.2.12`, which the world \
                 does not have; {instead}"
            ),
            format!(
                "error[superfluous-import]: `app` imports `wasi:io/poll@0.2.12`, which the world \
                 does not have; {instead}"
            ),
            format!(
                "error[superfluous-import]: `app` imports `wasi:io/streams@0.2.12`, which the \
                 world does not have; {instead}"
            ),
            format!(
                "error[superfluous-import]: `app` imports `wasi:cli/stderr@0.2.12`, and the world \
                 has `wasi:cli/stderr@0.3.0`, which is on another version track; {instead}"
            ),
        ]
    );
}

#[test]
fn check_of_an_environment_of_0_3_names_env_for() {
    let app = app("import wasi:cli/environment@0.3.0; export wasi:http/handler@0.3.0;");
    assert_eq!(
        findings(&app, World::wasi_http_service()),
        [
            "error[superfluous-import]: `app` imports `wasi:cli/environment@0.3.0`, which the \
             world does not have; link the component that `component-compose env --for` makes"
        ]
    );
}

fn from_wit(texts: &[&str], name: &str) -> Result<World, WorldError> {
    let texts: Vec<_> = (0..)
        .zip(texts)
        .map(|(index, text)| (format!("{index}.wit"), (*text).to_owned()))
        .collect();
    World::from_wit(&texts, Some(name))
}

const HOST: &str = "package t:host; world host { include wasi:http/service@0.3.0; }";

#[test]
fn a_world_of_a_dependency_is_named_with_its_package() {
    let app = app("include wasi:http/service@0.3.0;");
    for name in [
        "host",
        "t:host/host",
        "wasi:http/service",
        "wasi:http/service@0.3.0",
    ] {
        let world = from_wit(&[HOST], name);
        assert_eq!(findings(&app, world), NONE, "{name}");
    }
    let world = from_wit(&[HOST], "wasi:http/service@0.3.0").expect("a world");
    assert_eq!(world.name(), "wasi:http/service");
}

#[test]
fn check_accepts_a_program_in_the_command_world_of_its_release() {
    let app = app("include wasi:cli/command@0.3.0;");
    assert_eq!(
        findings(&app, World::from_wasi("wasi:cli/command@0.3.0")),
        NONE
    );
    let all = findings(&app, World::wasi_cli_command()).join("\n");
    assert!(
        all.contains("it against the world `wasi:cli/command@0.3.0`"),
        "{all}"
    );
}

#[test]
fn a_world_of_wasi_is_found_by_its_full_name() {
    for name in [
        "wasi:cli/command@0.2.0",
        "wasi:http/proxy@0.2.12",
        "wasi:http/proxy",
        "wasi:http/middleware",
        "wasi:cli/imports@0.3.0",
    ] {
        let world = World::from_wasi(name).expect("a world");
        let path = name.split('@').next().expect("a path");
        assert_eq!(world.name(), path);
    }
    let error = |name| error_chain(&World::from_wasi(name).expect_err("not one world"));
    assert_eq!(
        error("wasi:cli/command"),
        "ambiguous world `wasi:cli/command`: `wasi:cli/command@0.2.12`, `wasi:cli/command@0.3.0`; \
         name one with its version"
    );
    for name in [
        "wasi:http/proxy@0.4.0",
        "wasi:http/proxy@x",
        "wasi:http/moon",
    ] {
        assert_eq!(
            error(name),
            format!(
                "unknown world `{name}`; known worlds: `wasi:http/imports@0.2.12`, \
                 `wasi:http/middleware@0.3.0`, `wasi:http/proxy@0.2.12`, `wasi:http/service@0.3.0`"
            )
        );
    }
}

#[test]
fn an_unknown_or_ambiguous_world_of_a_dependency_lists_the_known_ones() {
    let first = "package t:dep@1.0.0; world w { export f: func(); }";
    let second = "package t:dep@2.0.0; world w { export f: func(); }";
    let error = |name| {
        let error = from_wit(&[HOST, first, second], name).expect_err("not one world");
        error_chain(&error)
    };
    assert_eq!(
        error("t:dep/w"),
        "ambiguous world `t:dep/w`: `t:dep/w@1.0.0`, `t:dep/w@2.0.0`; name one with its version"
    );
    let known = "known worlds: `t:dep/w@1.0.0`, `t:dep/w@2.0.0`";
    for name in ["t:dep/v", "t:dep/w@3.0.0", "t:other/w"] {
        assert_eq!(error(name), format!("unknown world `{name}`; {known}"));
    }
    assert_eq!(
        error("t:other/moon"),
        "unknown world `t:other/moon`; no package has a world of that name"
    );
    assert!(from_wit(&[HOST, first, second], "t:dep/w@2.0.0").is_ok());
}
