//! Tests of reading the world of a component.

use super::*;

fn import_kinds(text: &str) -> Vec<ImportKind> {
    let bytes = wat::parse_str(text).expect("valid WAT");
    let world = World::of(&bytes);
    assert!(world.is_complete);
    world.imports.iter().map(|import| import.kind).collect()
}

#[test]
fn a_resource_needs_an_implementation_at_its_first_import_only() {
    let imports = r#"(component $c
        (import "a:b/c" (instance $c (export "r" (type (sub resource)))))
        (alias export $c "r" (type $r))
        (import "r" (type $r2 (eq $r)))
        (import "s" (type (sub resource)))
        (import "a:b/d" (instance
            (alias outer $c $r2 (type $r3))
            (export "r" (type (eq $r3))))))"#;
    let (needed, named) = (ImportKind::Implementation, ImportKind::TypesOnly);
    assert_eq!(import_kinds(imports), [needed, named, needed, named]);
}

#[test]
fn imported_modules_and_components_are_distinguished_from_interfaces() {
    let imports = r#"(component
        (import "m" (core module))
        (import "c" (component))
        (import "i" (instance (export "f" (func))))
        (import "f" (func)))"#;
    let implementation = ImportKind::Implementation;
    assert_eq!(
        import_kinds(imports),
        [
            ImportKind::Code,
            ImportKind::Code,
            implementation,
            implementation
        ]
    );
}

#[test]
fn imports_and_exports_of_nested_components_do_not_count() {
    let nested = r#"(component (component
        (import "f" (func))
        (instance $e)
        (export "wasi:http/incoming-handler@0.2.12" (instance $e))))"#;
    let bytes = wat::parse_str(nested).expect("valid WAT");
    let world = World::of(&bytes);
    assert!(world.is_complete && world.imports.is_empty() && !world.serves_http());
}

#[test]
fn a_pre_release_incoming_handler_does_not_serve_http() {
    for (version, serves_http) in [("0.2.0", true), ("0.2.0-rc-2023-11-10", false)] {
        let text = format!(
            r#"(component
                (instance $e)
                (export "wasi:http/incoming-handler@{version}" (instance $e)))"#
        );
        let bytes = wat::parse_str(text).expect("valid WAT");
        let world = World::of(&bytes);
        assert_eq!(world.serves_http(), serves_http, "{version}");
        let is_named = matches!(world.check(false), Err(LoadError::NoHandler(_)));
        assert_eq!(is_named, !serves_http, "{version}");
    }
}

#[test]
fn names_of_a_truncated_component_are_known() {
    let text = r#"(component (import "wasi:cli/run@0.3.0" (instance)))"#;
    let mut bytes = wat::parse_str(text).expect("valid WAT");
    bytes.extend([8, 2, 1, 0x7f]);
    let world = World::of(&bytes);
    assert!(!world.is_complete);
    assert_eq!(world.imports[0].name, "wasi:cli/run@0.3.0");
    assert!(world.check_kind().is_ok());
}

#[test]
fn an_unreadable_component_for_a_draft_of_wasi_0_3_is_named() {
    let text = r#"(component (import "wasi:cli/run@0.3.0-rc-2025-09-16" (instance)))"#;
    let mut bytes = wat::parse_str(text).expect("valid WAT");
    bytes.extend([8, 2, 1, 0x7f]);
    let check = World::of(&bytes).check_kind();
    assert!(matches!(check, Err(LoadError::Draft(_))), "{check:?}");
}

#[test]
fn a_handler_of_wasi_0_2_is_preferred() {
    let handlers = ["incoming-handler@0.2.0", "handler@0.3.0"];
    for (names, version) in [
        (&handlers[..], WasiVersion::V02),
        (&handlers[..1], WasiVersion::V02),
        (&handlers[1..], WasiVersion::V03),
    ] {
        let exports: Vec<_> = names
            .iter()
            .map(|name| format!(r#"(export "wasi:http/{name}" (instance $e))"#))
            .collect();
        let bytes = wat::parse_str(format!("(component (instance $e) {})", exports.concat()));
        let world = World::of(&bytes.expect("valid WAT"));
        assert!(world.serves_http());
        assert_eq!(world.wasi_version(), version, "{names:?}");
    }
}

#[test]
fn commands_of_both_versions_are_named() {
    for version in ["0.2.0", "0.3.0"] {
        let text =
            format!(r#"(component (instance $e) (export "wasi:cli/run@{version}" (instance $e)))"#);
        let world = World::of(&wat::parse_str(text).expect("valid WAT"));
        assert!(
            matches!(world.check(false), Err(LoadError::Command(_))),
            "{version}"
        );
    }
}

#[test]
fn only_a_middleware_has_a_next_handler() {
    let handler = |import: &str| {
        let text = format!(
            r#"(component {import} (instance $e) (export "wasi:http/handler@0.3.0" (instance $e)))"#
        );
        World::of(&wat::parse_str(text).expect("valid WAT"))
    };
    let middleware =
        handler(r#"(import "wasi:http/handler@0.3.0" (instance (export "f" (func))))"#);
    let is_alone = matches!(middleware.check(false), Err(LoadError::Middleware(_)));
    assert!(is_alone);
    assert!(matches!(
        middleware.check(true),
        Err(LoadError::OtherHandler)
    ));
    assert!(matches!(handler("").check(true), Err(LoadError::NoNext)));
}
