//! Tests of the detection of proposals and their errors.

use super::*;

/// The proposals of a component with a core module of these fields.
fn core(fields: &str) -> Vec<Proposal> {
    component(&format!("(core module {fields})"))
}

fn component(fields: &str) -> Vec<Proposal> {
    let bytes = wat::parse_str(format!("(component {fields})")).unwrap();
    Proposals::of(&bytes).0.into_iter().collect()
}

fn rejected(fields: &str) -> String {
    let bytes = wat::parse_str(format!("(component {fields})")).unwrap();
    Proposals::of(&bytes).check().unwrap_err().to_string()
}

#[test]
fn proposals_of_every_engine_are_not_detected() {
    for fields in [
        "(memory 1) (memory 1) (func (i32.store 1 (i32.const 0) (i32.const 1)))",
        "(memory i64 1) (table i64 1 funcref)",
        "(func $f (result i32) (return_call $f))",
        "(type $t (func)) (table 1 (ref null $t)) (func (param (ref $t)) (call_ref $t (local.get 0)))",
        "(func $f) (elem declare func $f) (func (result funcref) (ref.func $f))",
        "(func (result funcref) (ref.null func))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        "(memory 1) (func (result i32) (i32.atomic.load (i32.const 0)))",
        "(func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))",
        "(func (result i32 i64) (i32.const 1) (i64.const 2))",
    ] {
        assert_eq!(core(fields), [], "{fields}");
        let bytes = wat::parse_str(format!("(component (core module {fields}))")).unwrap();
        let proposals = Proposals::of(&bytes);
        proposals.check().unwrap();
        assert!(!proposals.require_gc());
    }
}

#[test]
fn exceptions_need_a_garbage_collector_wherever_they_are() {
    for fields in [
        "(tag)",
        r#"(import "a" "b" (tag))"#,
        "(func (block $l (try_table (catch_all $l))))",
        "(func (param exnref))",
        "(func (local exnref))",
        "(func (throw_ref (unreachable)))",
        "(func (drop (ref.null noexn)))",
    ] {
        assert_eq!(core(fields), [Proposal::Exceptions], "{fields}");
        let bytes = wat::parse_str(format!("(component (core module {fields}))")).unwrap();
        let proposals = Proposals::of(&bytes);
        proposals.check().unwrap();
        assert!(proposals.require_gc());
    }
}

#[test]
fn externref_needs_a_garbage_collector_wherever_it_is() {
    for fields in [
        "(table 1 externref)",
        "(global externref (ref.null extern))",
        "(func (local externref))",
        "(func (result externref) (unreachable))",
        "(func (drop (ref.null extern)))",
        "(func (drop (block (result externref) (unreachable))))",
        "(func (drop (select (result externref) (unreachable))))",
        "(elem externref (ref.null extern))",
        r#"(import "a" "b" (global externref))"#,
    ] {
        assert_eq!(core(fields), [Proposal::ExternRef], "{fields}");
    }
}

#[test]
fn gc_types_need_a_garbage_collector_wherever_they_are() {
    for fields in [
        "(type (struct))",
        "(type (array i8))",
        "(type (sub (func)))",
        "(rec (type (func)) (type (func)))",
        "(table 1 anyref)",
        "(func (drop (ref.i31 (i32.const 1))))",
        "(func (param i31ref))",
    ] {
        assert_eq!(core(fields), [Proposal::GarbageCollection], "{fields}");
    }
}

#[test]
fn proposals_of_nested_components_are_detected() {
    let nested = "(component (component (core module (tag))))";
    assert_eq!(component(nested), [Proposal::Exceptions]);
}

#[test]
fn async_functions_need_concurrent_tasks_wherever_they_are() {
    for fields in [
        "(type (stream u8))",
        "(type (future))",
        r#"(import "a" (func async))"#,
        "(core func (canon waitable-set.new))",
        r#"(import "a" (instance (type (stream u8)) (export "b" (type (eq 0)))))"#,
    ] {
        assert_eq!(component(fields), [Proposal::ComponentAsync], "{fields}");
        let bytes = wat::parse_str(format!("(component {fields})")).unwrap();
        let proposals = Proposals::of(&bytes);
        proposals.check().unwrap();
        assert!(proposals.require_concurrency() && !proposals.require_gc());
    }
}

#[test]
fn unsupported_proposals_are_errors_with_name_and_remedy() {
    for (fields, name, remedy) in [
        (
            "(func try catch_all end)",
            "legacy exception handling",
            "wasm-use-legacy-eh=false",
        ),
        (
            "(memory 1 2 shared)",
            "a shared memory (threads)",
            "without threads",
        ),
        (
            "(type (shared (func)))",
            "shared-everything threads",
            "without threads",
        ),
        (
            "(type $f (func)) (type (cont $f))",
            "stack switching",
            "without",
        ),
        (
            "(func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1)))",
            "wide arithmetic",
            "without",
        ),
        ("(memory 1 (pagesize 1))", "custom page sizes", "without"),
        (
            "(memory 1) (func (memory.discard (i32.const 0) (i32.const 0)))",
            "memory control",
            "without",
        ),
    ] {
        let error = rejected(&format!("(core module {fields})"));
        assert!(error.contains(name) && error.contains(remedy), "{error}");
    }
    for (fields, name, remedy) in [
        (
            "(core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
             (func async (canon lift (core func $i \"f\") async))",
            "without a callback",
            "wit-bindgen",
        ),
        ("(core func (canon thread.index))", "threads", "without"),
        (
            "(core func (canon error-context.drop))",
            "error contexts",
            "without",
        ),
        ("(type (map string u8))", "maps", "without"),
        ("(type (list u8 4))", "fixed-length lists", "without"),
    ] {
        let error = rejected(fields);
        assert!(error.contains(name) && error.contains(remedy), "{error}");
    }
}

#[test]
fn invalid_bytes_have_no_proposals() {
    for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0\xff", b"no"] {
        assert_eq!(Proposals::of(bytes), Proposals::default());
    }
}
