//! Components that cannot be served are refused with the reason and the remedy before they are
//! compiled: each one here has a function that no compiler accepts.

use std::process::Command;

use end_to_end::artifacts::program;
use end_to_end::client::Request;
use end_to_end::functions::Folder;
use end_to_end::guests::{Guest, assemble};
use end_to_end::process::{Finished, Process};
use end_to_end::{Peer, TestHost};

/// A function that lacks its result.
const BROKEN: &str = "(core module (func (result i32)))";

/// The type of a handler, with its imports.
const HANDLER: &str = r#"
    (import "wasi:http/types@0.2.12" (instance $types
        (export "incoming-request" (type (sub resource)))
        (export "response-outparam" (type (sub resource)))))
    (alias export $types "incoming-request" (type $request))
    (alias export $types "response-outparam" (type $out))
    (type $handle (func (param "request" (own $request)) (param "response-out" (own $out))))
    (core module $guest (func (export "handle") (param i32 i32)))
    (core instance $guest (instantiate $guest))
    (func $handle (type $handle) (canon lift (core func $guest "handle")))
    (instance $handler (export "handle" (func $handle)))
    (export "wasi:http/incoming-handler@0.2.12" (instance $handler))"#;

/// A component with these fields, which cannot be compiled.
fn broken(fields: &str) -> Vec<u8> {
    let text = format!("(component $component {fields} {BROKEN})");
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A handler with these additional imports.
fn handler(imports: &str) -> Vec<u8> {
    broken(&format!("{imports}{HANDLER}"))
}

/// Checks that `bytes` are refused, alone and as a function, in one line with all `parts`.
#[track_caller]
fn check_refused(bytes: &[u8], parts: &[&str]) {
    let alone = TestHost::serve(Guest::of(bytes).path()).fail();
    assert_eq!(alone.code, Some(1), "{}", alone.stderr);
    let folder = Folder::new();
    folder.put("guest.wasm", bytes);
    let function = TestHost::serve_functions(folder.path()).switch("--check");
    let function = function.fail();
    assert_eq!(function.code, Some(1), "{}", function.stderr);
    for stderr in [alone.stderr, function.stderr] {
        let errors: Vec<_> = stderr
            .lines()
            .filter(|line| line.contains("guest"))
            .collect();
        assert_eq!(errors.len(), 1, "{stderr}");
        for part in parts {
            assert!(errors[0].contains(part), "`{part}` is not in: {stderr}");
        }
        for noise in ["panicked", "not a valid component"] {
            assert!(!stderr.contains(noise), "`{noise}` is in: {stderr}");
        }
    }
}

#[test]
fn an_invalid_function_body_is_refused() {
    let finished = TestHost::serve(Guest::of(handler("")).path()).fail();
    let expected = "not a valid component";
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
}

/// A test for each kind of file: name, file, and message.
macro_rules! refused {
    ($($name:ident: $bytes:expr => $parts:expr,)*) => {
        $(
            #[test]
            fn $name() {
                check_refused(&$bytes, &$parts);
            }
        )*
    };
}

refused! {
    an_empty_file: [] => ["empty file", "build or copy it again"],
    a_text: *b"(component)" => ["text, not a component", "wasm-tools parse"],
    a_program_of_this_machine: std::fs::read("/proc/self/exe").expect("a program")[..4096] =>
        ["native code", "the component that it was compiled from"],
    a_compressed_file: *b"\x1f\x8b\x08\x00\xff" => ["gzip", "unpack it"],
    any_other_bytes: *b"\xff\xfe\xfd" => ["not WebAssembly", "build or copy"],
    a_core_module: wat::parse_str("(module (func (result i32)))").expect("a module") =>
        ["core module, not a component", "wasm32-wasip2", "wasm-tools component new"],
    a_component_of_an_old_binary_format: *b"\0asm\x0c\0\x01\0" => ["version 12", "version 13", "current tools"],
    a_wit_package: broken(r#"
        (type (component (type (instance (export "f" (func)))) (export "a:b/c" (instance (type 0)))))
        (export "c" (type 0))"#) => ["WIT package", "no code", "build a component"],
    a_handler_of_wasi_03_of_another_type: broken(r#"
        (import "wasi:http/types@0.3.0" (instance))
        (instance $e) (export "wasi:http/handler@0.3.0" (instance $e))"#) =>
        ["a handler of another type", "`wasi:http/handler@0.3` is asynchronous"],
    a_command_of_wasi_03: broken(r#"
        (instance $e) (export "wasi:cli/run@0.3.1" (instance $e))"#) =>
        ["this is a command", "`wasi:cli/run@0.3.1`", "`wasmtime run`", "`wasi:http/handler@0.3`"],
    a_draft_of_wasi_03: handler(r#"
        (import "wasi:clocks/monotonic-clock@0.3.0-rc-2025-09-16" (instance (export "now" (func))))"#) =>
        ["imports", "`wasi:clocks/monotonic-clock@0.3.0-rc-2025-09-16` (this server provides version 0.2 and 0.3)"],
    a_command: broken(r#"
        (import "wasi:cli/stdout@0.2.6" (instance))
        (instance $e) (export "wasi:cli/run@0.2.6" (instance $e))"#) =>
        ["this is a command", "`wasi:cli/run@0.2.6`", "`wasmtime run`", "`wasi:http/incoming-handler@0.2`"],
    a_middleware_alone: handler(r#"
        (import "wasi:http/incoming-handler@0.2.3" (instance (export "handle" (func))))"#) =>
        ["this is a middleware", "`wasi:http/incoming-handler@0.2.3`", "component-compose chain --on", "`middleware`"],
    a_component_that_exports_nothing: broken("") => ["exports nothing", "`wasi:http/incoming-handler@0.2`"],
    an_interface_that_is_unknown: handler(r#"
        (import "example:a/b@1.0.0" (instance (export "f" (func))))
        (import "example:a/types@1.0.0" (instance (export "r" (type (sub resource)))))"#) =>
        ["imports", "`example:a/b@1.0.0`, `example:a/types@1.0.0`;", "component-compose link"],
    an_interface_of_a_package_that_is_known: handler(r#"
        (import "wasi:cli/unknown@0.2.0" (instance (export "f" (func))))"#) =>
        ["imports", "`wasi:cli/unknown@0.2.0`;"],
    an_interface_of_another_version: handler(r#"
        (import "wasi:config/store@0.2.0-draft" (instance (export "f" (func))))"#) =>
        ["imports", "`wasi:config/store@0.2.0-draft` (this server provides version 0.2.0-rc.1)"],
    a_function_that_is_imported_alone: handler(r#"(import "read" (func))"#) => ["imports", "`read`"],
    a_resource_that_nobody_defines: handler(r#"(import "r" (type (sub resource)))"#) => ["imports", "`r`"],
    a_component_that_is_imported: handler(r#"(import "c" (component))"#) =>
        ["imports a core module or a component", "embed"],
    a_core_module_that_is_imported: handler(r#"(import "m" (core module))"#) =>
        ["imports a core module or a component", "embed"],
    a_function_that_an_interface_does_not_have_here: handler(r#"
        (import "wasi:random/random@0.2.99" (instance (export "get-dice" (func (result u8)))))"#) =>
        ["`wasi:random/random@0.2.99`", "`get-dice`", "WASI 0.2.12"],
    a_handler_of_another_type: broken(r#"
        (import "wasi:http/types@0.2.12" (instance))
        (core module $guest (func (export "handle")))
        (core instance $guest (instantiate $guest))
        (func $handle (canon lift (core func $guest "handle")))
        (instance $handler (export "handle" (func $handle)))
        (export "wasi:http/incoming-handler@0.2.12" (instance $handler))"#) =>
        ["a handler of another type", "`wasi:http/incoming-handler@0.2`", "`incoming-request`"],
}

#[test]
fn a_library_is_refused_with_the_way_to_link_it() {
    let library = broken(r#"(instance $e) (export "a:b/c@1.0.0" (instance $e))"#);
    let finished = TestHost::serve(Guest::of(library).path()).fail();
    for part in [
        "exports neither `wasi:http/incoming-handler@0.2` nor `wasi:http/handler@0.3`",
        "it exports `a:b/c@1.0.0`",
        "component-compose link",
    ] {
        assert!(
            finished.stderr.contains(part),
            "{part}: {}",
            finished.stderr
        );
    }
}

/// `use wasi:http/types@0.2.12.{fields, method}` in a world, and an interface of types only.
#[test]
fn imports_that_only_name_types_need_no_provider() {
    let component = assemble("proposal", |source| {
        let fields = "(func $value (param i32) (result i32) (local.get 0))";
        let source = source.replace(";; FIELDS", fields);
        let types = r#"
            (alias export $types "method" (type $method))
            (import "fields" (type (eq $fields)))
            (import "method" (type (eq $method)))
            (type $colour' (enum "red" "green"))
            (import "colour" (type (eq $colour')))
            (import "example:types/names@1.0.0" (instance
                (type $point (record (field "x" u32)))
                (export "point" (type (eq $point)))
                (alias outer $component $fields (type $fields'))
                (export "fields" (type (eq $fields')))))
            (core module $memory"#;
        source.replacen("(core module $memory", types, 1)
    });
    let guest = Guest::of(&component);
    let folder = Folder::new();
    folder.put("guest.wasm", &component);
    let request = Request::new("GET", "/1234567");
    let alone = TestHost::serve(guest.path()).start();
    let functions = TestHost::serve_functions(folder.path()).start();
    let answers = [
        Peer::serve(guest.path(), &[]).send(&request),
        alone.send(&request),
        functions.send(&Request::new("GET", "/guest/1234567")),
    ];
    for answer in answers {
        assert_eq!((answer.status, &*answer.text()), (200, "00000008"));
    }
}

/// Instance types, each in the one before; in binary form, because WAT cannot be nested as deep.
fn nested(levels: usize) -> Vec<u8> {
    const TYPE_SECTION: u8 = 7;
    let types = [&[1][..], &[0x42, 1, 1].repeat(levels), &[0x42, 0]].concat();
    let byte = |number: usize| u8::try_from(number).expect("a byte");
    let length = [byte(types.len() % 128) | 128, byte(types.len() / 128)];
    [&broken("")[..], &[TYPE_SECTION], &length, &types].concat()
}

/// Instance types, each with an export of the one before.
fn chained(levels: usize) -> Vec<u8> {
    let mut types = "(type $t0 (instance))".to_owned();
    for level in 1..levels {
        let before = level - 1;
        let ty = format!(
            "(type $t{level} (instance (alias outer $component $t{before} (type $t)) \
             (export \"x\" (instance (type $t)))))"
        );
        types.push_str(&ty);
    }
    broken(&types)
}

#[test]
fn types_that_are_nested_deep_are_refused_without_a_panic() {
    for component in [nested(150), nested(3000), chained(150), chained(1000)] {
        for finished in [
            TestHost::serve(Guest::of(&component).path()).fail(),
            inspect(&component),
        ] {
            let stderr = finished.stderr;
            for noise in ["panicked", "overflow", "signal", "bug"] {
                assert!(!stderr.contains(noise), "`{noise}` is in: {stderr}");
            }
            assert!(matches!(finished.code, Some(1 | 5)), "{stderr}");
        }
    }
}

fn inspect(component: &[u8]) -> Finished {
    let guest = Guest::of(component);
    let mut command = Command::new(program("component-compose"));
    Process::start(command.arg("inspect").arg(guest.path())).finish()
}
