//! Proposals that neither host runs without flags: the error names the proposal and the remedy.

use end_to_end::functions::Folder;
use end_to_end::guests::Guest;
use end_to_end::{Setup, TestHost};

use super::component;

/// Checks that a component with these fields is refused with these words: as the only
/// component of a server, by `--check`, and as a function.
fn check_refused(fields: &str, words: &[&str]) {
    let component = component(fields);
    let guest = Guest::of(&component);
    let folder = Folder::new();
    folder.put("guest.wasm", &component);
    let check = |setup: Setup| setup.switch("--check").fail();
    for finished in [
        TestHost::serve(guest.path()).fail(),
        check(TestHost::serve(guest.path())),
        check(TestHost::serve_functions(folder.path())),
    ] {
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        for word in words {
            assert!(finished.stderr.contains(word), "{}", finished.stderr);
        }
    }
    let host = TestHost::serve_functions(folder.path()).start();
    let _ = host.log().wait_for_entry(words);
}

#[test]
fn legacy_exceptions_are_refused_by_name_with_the_option_of_the_compiler() {
    check_refused(
        "(tag $e)
         (func $value (param i32) (result i32)
           try throw $e catch_all end
           i32.const 1)",
        &["legacy exception handling", "-wasm-use-legacy-eh=false"],
    );
}

#[test]
fn shared_memories_are_refused_by_name() {
    check_refused(
        "(memory $shared 1 1 shared)
         (func $value (param i32) (result i32) (i32.const 1))",
        &["a shared memory (threads)", "without threads"],
    );
}

#[test]
fn wide_arithmetic_is_refused_by_name() {
    check_refused(
        "(func $value (param i32) (result i32)
           (drop (i64.mul_wide_u (i64.const 1) (i64.const 2)))
           (drop)
           (i32.const 1))",
        &["wide arithmetic"],
    );
}

#[test]
fn stack_switching_is_refused_by_name() {
    check_refused(
        "(type $f (func)) (type $cont (cont $f))
         (func $value (param i32) (result i32) (i32.const 1))",
        &["stack switching"],
    );
}

#[test]
fn custom_page_sizes_are_refused_by_name() {
    check_refused(
        "(memory $small 1 (pagesize 1))
         (func $value (param i32) (result i32) (i32.const 1))",
        &["custom page sizes"],
    );
}

/// Closes the module of `$value`, and adds fields of the component. What follows belongs to another
/// module.
fn of_component(fields: &str) -> String {
    format!(
        "(func $value (param i32) (result i32) (i32.const 1)) (export \"value\" (func $value)))
         {fields}
         (core module $unused (func $value)"
    )
}

#[test]
fn async_functions_without_a_callback_are_refused_by_name() {
    let fields = of_component(
        "(core module $stackful (func (export \"f\")))
         (core instance $stackful (instantiate $stackful))
         (func async (canon lift (core func $stackful \"f\") async))",
    );
    check_refused(&fields, &["without a callback", "wit-bindgen"]);
}

#[test]
fn threads_of_the_component_model_are_refused_by_name() {
    let fields = of_component("(core func (canon thread.index))");
    check_refused(&fields, &["threads of the component model", "without"]);
}
