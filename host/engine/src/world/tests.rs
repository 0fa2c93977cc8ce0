//! What is read of the world of a component.

use super::*;

fn needs(text: &str) -> Vec<ImportKind> {
    let bytes = wat::parse_str(text).expect("valid WAT");
    let world = World::of(&bytes);
    assert!(world.is_complete);
    world.imports.iter().map(|import| import.kind).collect()
}

#[test]
fn a_resource_needs_a_provider_where_it_is_introduced_and_nowhere_else() {
    let imports = r#"(component $c
        (import "a:b/c" (instance $c (export "r" (type (sub resource)))))
        (alias export $c "r" (type $r))
        (import "r" (type $r2 (eq $r)))
        (import "s" (type (sub resource)))
        (import "a:b/d" (instance
            (alias outer $c $r2 (type $r3))
            (export "r" (type (eq $r3))))))"#;
    let (needed, named) = (ImportKind::Implementation, ImportKind::TypesOnly);
    assert_eq!(needs(imports), [needed, named, needed, named]);
}

#[test]
fn code_that_is_imported_is_told_from_interfaces() {
    let imports = r#"(component
        (import "m" (core module))
        (import "c" (component))
        (import "i" (instance (export "f" (func))))
        (import "f" (func)))"#;
    let implementation = ImportKind::Implementation;
    assert_eq!(
        needs(imports),
        [
            ImportKind::Code,
            ImportKind::Code,
            implementation,
            implementation
        ]
    );
}

#[test]
fn what_nested_components_import_and_export_is_not_of_this_world() {
    let nested = r#"(component (component
        (import "f" (func))
        (instance $e)
        (export "wasi:http/incoming-handler@0.2.12" (instance $e))))"#;
    let bytes = wat::parse_str(nested).expect("valid WAT");
    let world = World::of(&bytes);
    assert!(world.is_complete && world.imports.is_empty() && !world.serves_http());
}

#[test]
fn a_handler_of_a_version_before_the_release_is_none() {
    for (version, serves_http) in [("0.2.0", true), ("0.2.0-rc-2023-11-10", false)] {
        let text = format!(
            r#"(component
                (instance $e)
                (export "wasi:http/incoming-handler@{version}" (instance $e)))"#
        );
        let bytes = wat::parse_str(text).expect("valid WAT");
        let world = World::of(&bytes);
        assert_eq!(world.serves_http(), serves_http, "{version}");
        let is_named = matches!(world.check(), Err(LoadError::NoHandler(_)));
        assert_eq!(is_named, !serves_http, "{version}");
    }
}

#[test]
fn names_are_known_of_what_cannot_be_read_to_its_end() {
    let text = r#"(component (import "wasi:cli/run@0.3.0" (instance)))"#;
    let mut bytes = wat::parse_str(text).expect("valid WAT");
    bytes.extend([8, 2, 1, 0x7f]);
    let world = World::of(&bytes);
    assert!(!world.is_complete);
    assert!(matches!(world.check_kind(), Err(LoadError::Wasi03(_))));
}
