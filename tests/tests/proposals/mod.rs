//! Components with a WebAssembly proposal each. Those that `wasmtime serve` runs (with no flag but
//! one for several memories), this server runs with the same answer; the others are refused by
//! name.

mod garbage;
mod refused;

use std::thread;
use std::time::Instant;

use end_to_end::cases::check_problem;
use end_to_end::client::Request;
use end_to_end::functions::Folder;
use end_to_end::guests::{Guest, assemble};
use end_to_end::{DEADLINE, Peer, TestHost};

/// The path, whose length of 8 is the input of each.
const PATH: &str = "/1234567";

/// `guests/proposal.wat`, with these fields of a module.
fn component(fields: &str) -> Vec<u8> {
    assemble("proposal", |source| source.replace(";; FIELDS", fields))
}

fn request() -> Request {
    Request::new("GET", PATH)
}

/// Checks that a component with these fields answers with `expected`: as the only component of
/// a server, as a function, and on the other host.
fn check(fields: &str, expected: u32) {
    let component = component(fields);
    let guest = Guest::of(&component);
    let folder = Folder::new();
    folder.put("guest.wasm", &component);
    let alone = TestHost::serve(guest.path()).start();
    let functions = TestHost::serve_functions(folder.path()).start();
    let peer = Peer::serve(guest.path(), &["-O", "pooling-max-memories-per-module=4"]);
    let answers = [
        alone.send(&request()),
        functions.send(&request().path(format!("/guest{PATH}"))),
        peer.send(&request()),
    ];
    let expected = format!("{expected:08x}");
    for answer in answers {
        assert_eq!((answer.status, answer.text()), (200, expected.clone()));
    }
}

/// A test for each proposal: its name, the fields that use it, and the answer for 8.
macro_rules! proposals {
    ($($name:ident: $fields:literal => $expected:literal,)*) => {
        $(
            #[test]
            fn $name() {
                check($fields, $expected);
            }
        )*
    };
}

proposals! {
    exceptions_are_caught_by_tag: "
        (tag $e (param i32))
        (func $raise (param $n i32) (throw $e (i32.mul (local.get $n) (i32.const 3))))
        (func $value (param $n i32) (result i32)
          (block $caught (result i32)
            (try_table (catch $e $caught) (call $raise (local.get $n)))
            (i32.const 0)))" => 24,
    exceptions_are_caught_by_reference_and_thrown_again: "
        (tag $e (param i32))
        (func $value (param $n i32) (result i32)
          (block $outer (result i32)
            (try_table (result i32) (catch $e $outer)
              (block $inner (result exnref)
                (try_table (catch_all_ref $inner)
                  (throw $e (i32.add (local.get $n) (i32.const 7))))
                (unreachable))
              (throw_ref))))" => 15,
    // As compiled from setjmp and longjmp of a C library: across many frames, repeatedly.
    exceptions_unwind_many_frames_many_times: "
        (tag $longjmp (param i32))
        (func $descend (param $depth i32)
          (if (i32.eqz (local.get $depth)) (then (throw $longjmp (i32.const 5))))
          (call $descend (i32.sub (local.get $depth) (i32.const 1))))
        (func $value (param $n i32) (result i32)
          (local $sum i32) (local $left i32)
          (local.set $left (i32.const 1000))
          (loop $next
            (local.set $sum (i32.add (local.get $sum)
              (block $setjmp (result i32)
                (try_table (catch $longjmp $setjmp) (call $descend (local.get $n)))
                (unreachable))))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $next (local.get $left)))
          (local.get $sum))" => 5000,
    gc_structs_are_linked: "
        (type $node (struct (field $number i32) (field $next (ref null $node))))
        (func $value (param $n i32) (result i32)
          (local $list (ref null $node)) (local $sum i32)
          (loop $push
            (local.set $list (struct.new $node (local.get $n) (local.get $list)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $push (local.get $n)))
          (loop $pop
            (local.set $sum (i32.add (local.get $sum) (struct.get $node $number (local.get $list))))
            (local.set $list (struct.get $node $next (local.get $list)))
            (br_if $pop (i32.eqz (ref.is_null (local.get $list)))))
          (local.get $sum))" => 36,
    gc_arrays_hold_i31_references: "
        (type $numbers (array (mut i31ref)))
        (func $value (param $n i32) (result i32)
          (local $array (ref $numbers))
          (local.set $array (array.new $numbers (ref.i31 (local.get $n)) (i32.const 10)))
          (array.set $numbers (local.get $array) (i32.const 3) (ref.i31 (i32.const 100)))
          (i32.add
            (i31.get_u (array.get $numbers (local.get $array) (i32.const 3)))
            (i32.add
              (i31.get_u (array.get $numbers (local.get $array) (i32.const 9)))
              (array.len (local.get $array)))))" => 118,
    gc_subtypes_are_cast: "
        (type $base (sub (struct (field i32))))
        (type $more (sub $base (struct (field i32) (field i64))))
        (func $make (param $n i32) (result (ref $base))
          (struct.new $more (local.get $n) (i64.const 30)))
        (func $value (param $n i32) (result i32)
          (i32.add
            (ref.test (ref $more) (struct.new $base (i32.const 1)))
            (i32.wrap_i64 (struct.get $more 1 (ref.cast (ref $more) (call $make (local.get $n)))))))" => 30,
    externref_tables_grow: "
        (table $t 4 externref)
        (func $value (param $n i32) (result i32)
          (i32.add
            (table.grow $t (ref.null extern) (local.get $n))
            (i32.add (table.size $t) (ref.is_null (table.get $t (i32.const 11))))))" => 17,
    externref_carries_a_gc_reference: "
        (table $t 1 externref)
        (func $value (param $n i32) (result i32)
          (table.set $t (i32.const 0) (extern.convert_any (ref.i31 (local.get $n))))
          (i31.get_s (ref.cast (ref i31) (any.convert_extern (table.get $t (i32.const 0))))))" => 8,
    tail_calls_take_no_stack: "
        (func $count (param $left i32) (param $sum i32) (result i32)
          (if (i32.eqz (local.get $left)) (then (return (local.get $sum))))
          (return_call $count
            (i32.sub (local.get $left) (i32.const 1)) (i32.add (local.get $sum) (i32.const 2))))
        (func $value (param $n i32) (result i32)
          (return_call $count (i32.mul (local.get $n) (i32.const 100000)) (i32.const 0)))" => 1_600_000,
    function_references_are_called: "
        (type $f (func (param i32) (result i32)))
        (table $t 2 (ref null $f))
        (func $double (type $f) (i32.mul (local.get 0) (i32.const 2)))
        (elem declare func $double)
        (func $value (param $n i32) (result i32)
          (table.set $t (i32.const 1) (ref.func $double))
          (block $null
            (br_on_null $null (table.get $t (i32.const 0)))
            (drop)
            (unreachable))
          (call_ref $f (local.get $n) (ref.as_non_null (table.get $t (i32.const 1)))))" => 16,
    several_memories_are_copied: "
        (memory $second 1)
        (memory $third 1)
        (func $value (param $n i32) (result i32)
          (i32.store $second (i32.const 16) (i32.mul (local.get $n) (i32.const 9)))
          (memory.copy $third $second (i32.const 32) (i32.const 16) (i32.const 4))
          (i32.add (i32.load $third (i32.const 32)) (i32.load $second (i32.const 32))))" => 72,
    memory64_has_addresses_of_64_bits: "
        (memory $wide i64 1)
        (func $value (param $n i32) (result i32)
          (drop (memory.grow $wide (i64.const 1)))
          (i32.store $wide (i64.const 131000) (local.get $n))
          (i32.add
            (i32.load $wide (i64.const 131000))
            (i32.wrap_i64 (memory.size $wide))))" => 10,
    table64_has_indices_of_64_bits: "
        (type $f (func (result i32)))
        (table $wide i64 4 funcref)
        (func $nine (type $f) (i32.const 9))
        (elem (table $wide) (i64.const 2) func $nine)
        (func $value (param $n i32) (result i32)
          (i32.add
            (local.get $n)
            (call_indirect $wide (type $f) (i64.const 2))))" => 17,
    extended_constant_expressions: "
        (global $g i32 (i32.add (i32.mul (i32.const 6) (i32.const 7)) (i32.const 1)))
        (func $value (param $n i32) (result i32) (i32.add (global.get $g) (local.get $n)))" => 51,
    simd: "
        (func $value (param $n i32) (result i32)
          (i32x4.extract_lane 2
            (i32x4.add (i32x4.splat (local.get $n)) (v128.const i32x4 1 2 3 4))))" => 11,
    relaxed_simd: "
        (func $value (param $n i32) (result i32)
          (i8x16.extract_lane_u 0
            (i8x16.relaxed_swizzle
              (v128.const i8x16 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25)
              (i8x16.splat (local.get $n)))))" => 18,
    atomics_on_a_memory_that_is_not_shared: "
        (func $value (param $n i32) (result i32)
          (i32.store (i32.const 128) (i32.const 40))
          (i32.add
            (i32.atomic.rmw.add (i32.const 128) (local.get $n))
            (i32.add
              (i32.atomic.load (i32.const 128))
              (memory.atomic.notify (i32.const 128) (i32.const 1)))))" => 88,
    bulk_memory_and_sign_extension: "
        (func $value (param $n i32) (result i32)
          (memory.fill (i32.const 128) (i32.const 255) (local.get $n))
          (i32.add (local.get $n) (i32.extend8_s (i32.load8_u (i32.const 135)))))" => 7,
    multiple_values_and_saturating_conversions: "
        (func $two (param $n i32) (result i32 i32)
          (local.get $n) (i32.trunc_sat_f32_u (f32.const -5)))
        (func $value (param $n i32) (result i32)
          (call $two (local.get $n))
          (i32.sub))" => 8,
}

#[test]
fn an_exception_that_is_not_caught_is_a_trap_of_its_guest() {
    let guest = Guest::of(component(
        "(tag $e)
         (func $value (param i32) (result i32) (throw $e))",
    ));
    let host = TestHost::serve(guest.path()).start();
    check_problem(&host.send(&request()), 500, &["the guest failed"]);
    let _ = host.log().wait_for_entry(&["request failed", "exception"]);
}

#[test]
fn a_function_is_replaced_by_one_that_needs_a_garbage_collector_and_back() {
    let with = component(
        "(tag $e)
         (func $value (param i32) (result i32)
           (block $caught (try_table (catch $e $caught) (throw $e)))
           (i32.const 1))",
    );
    let without = component("(func $value (param i32) (result i32) (i32.const 2))");
    let folder = Folder::new();
    folder.put("f.wasm", &with);
    let host = TestHost::serve_functions(folder.path()).start();
    let wait_for = |answer: &str| {
        let start = Instant::now();
        while host.send(&Request::new("GET", "/f")).text() != answer {
            assert!(start.elapsed() < DEADLINE, "waited in vain for {answer}");
            thread::yield_now();
        }
    };
    wait_for("00000001");
    for (component, answer) in [(&without, "00000002"), (&with, "00000001")] {
        folder.put("f.wasm", component);
        wait_for(answer);
    }
}
