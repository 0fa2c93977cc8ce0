//! The heap of the garbage collector: it is freed, it counts in `--max-memory`, and the pool has
//! room for one per instance.

use end_to_end::cases::check_problem;
use end_to_end::client::{Connection, Request, Response};
use end_to_end::functions::Folder;
use end_to_end::guests::{Guest, assemble};
use end_to_end::operators::Operators;
use end_to_end::{Setup, TestHost};

use super::{component, request};

/// Makes 1000 arrays of 64 KiB and keeps only the last one; each refers to itself, so that
/// reference counting would free none.
const CYCLES: &str = "
    (type $bytes (array (mut i8)))
    (type $node (struct (field $bytes (ref $bytes)) (field $itself (mut (ref null $node)))))
    (func $value (param $n i32) (result i32)
      (local $left i32) (local $last (ref null $node)) (local $sum i32)
      (local.set $left (i32.const 1000))
      (loop $next
        (local.set $last (struct.new $node
          (array.new $bytes (i32.const 1) (i32.const 65536)) (ref.null $node)))
        (struct.set $node $itself (local.get $last) (local.get $last))
        (local.set $sum (i32.add (local.get $sum)
          (array.get_u $bytes (struct.get $node $bytes (local.get $last)) (local.get $n))))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $next (local.get $left)))
      (local.get $sum))";

/// Grows its memory by this number of pages, and answers 2 if that fails. Then it keeps 32 arrays
/// of 64 KiB alive, 2 MiB.
fn keeper(pages: u32) -> Vec<u8> {
    let fields = "
        (type $bytes (array (mut i8)))
        (type $node (struct (field (ref $bytes)) (field (ref null $node))))
        (func $value (param $n i32) (result i32)
          (local $left i32) (local $list (ref null $node))
          (if (i32.eq (memory.grow (i32.const PAGES)) (i32.const -1))
            (then (return (i32.const 2))))
          (local.set $left (i32.const 32))
          (loop $next
            (local.set $list (struct.new $node
              (array.new_default $bytes (i32.const 65536)) (local.get $list)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $next (local.get $left)))
          (i32.const 1))";
    component(&fields.replace("PAGES", &pages.to_string()))
}

/// The answers of a component with this `--max-memory`: alone, and as a function.
fn answers(component: &[u8], max_memory: &str) -> [Response; 2] {
    let guest = Guest::of(component);
    let folder = Folder::new();
    folder.put("guest.wasm", component);
    let start = |setup: Setup| setup.flag("--max-memory", max_memory).start();
    [
        start(TestHost::serve(guest.path())).send(&request()),
        start(TestHost::serve_functions(folder.path())).send(&request().path("/guest/123")),
    ]
}

#[test]
fn max_memory_bounds_what_is_alive_and_garbage_is_freed_also_in_cycles() {
    for answer in answers(&component(CYCLES), "4MiB") {
        assert_eq!((answer.status, answer.text()), (200, "000003e8".to_owned()));
    }
}

#[test]
fn max_memory_counts_the_heap_of_the_garbage_collector_and_all_memories_together() {
    // Half of the heap is free for the next collection.
    for answer in answers(&keeper(0), "10MiB") {
        assert_eq!((answer.status, answer.text()), (200, "00000001".to_owned()));
    }
    // 4 MiB of memory fit, and the heap would, but not both.
    for answer in answers(&keeper(64), "6MiB") {
        check_problem(&answer, 500, &["the guest failed"]);
    }
    for answer in answers(&keeper(64), "16MiB") {
        assert_eq!((answer.status, answer.text()), (200, "00000001".to_owned()));
    }
}

#[test]
fn a_guest_whose_heap_reaches_max_memory_fails_for_want_of_memory() {
    let guest = Guest::of(keeper(0));
    let host = TestHost::serve(guest.path())
        .flag("--max-memory", "1MiB")
        .flag("--ops-addr", "127.0.0.1:0")
        .start();
    check_problem(&host.send(&request()), 500, &["the guest failed"]);
    let failed = r#"guest_failures_total{function="guest",kind="memory"}"#;
    Operators::of(&host).wait_for(&[(failed, 1.0)]);
}

/// The hostile guest, with a table of `externref`: each instance of it has a heap.
fn hostile_with_externref() -> Vec<u8> {
    assemble("hostile", |source| {
        source
            .replace("0 funcref", "0 externref")
            .replace("ref.null func", "ref.null extern")
    })
}

/// Clients whose guests sleep until their timeout.
fn check_sleepers(host: &TestHost, path: &str, count: usize) {
    let sleeper = |_| -> Connection<_> {
        let mut client = host.connect();
        client.write(&Request::new("GET", path).bytes());
        client
    };
    let clients: Vec<_> = (0..count).map(sleeper).collect();
    for mut client in clients {
        check_problem(&client.receive(), 504, &["in time"]);
    }
}

#[test]
fn max_concurrency_instances_with_a_heap_live_at_once() {
    const INSTANCES: usize = 8;

    let component = hostile_with_externref();
    let guest = Guest::of(&component);
    let folder = Folder::new();
    folder.put("guest.wasm", &component);
    let start = |setup: Setup| {
        setup
            .flag("--max-concurrency", INSTANCES.to_string())
            .flag("--request-timeout", "1")
            .flag("--threads", "1")
    };
    let alone = start(TestHost::serve(guest.path())).start();
    check_sleepers(&alone, "/sleep", INSTANCES);
    let functions = start(TestHost::serve_functions(folder.path()));
    let functions = functions.flag("--max-memories", "1").start();
    // The default limit of a function is half of that of all.
    check_sleepers(&functions, "/guest/sleep", INSTANCES / 2);
}
