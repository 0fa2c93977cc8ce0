//! `--max-total-memory`, and the memory of guests.

use std::fs;
use std::time::Duration;

use end_to_end::TestHost;
use end_to_end::cases::check_problem;
use end_to_end::client::{Connection, Request, get};
use end_to_end::guests::{Guest, assemble};
use end_to_end::operators::Operators;
use end_to_end::stress::pressure::{self, Plan};

const MIB: u64 = 1 << 20;

/// Sends `count` requests at once.
fn send_at_once(host: &TestHost, count: usize, request: &Request) -> Vec<Connection> {
    let send = |_| {
        let mut client = host.connect();
        client.write(&request.bytes());
        client
    };
    (0..count).map(send).collect()
}

/// The hostile guests with an additional memory image of 8 MiB.
fn hostile_with_a_large_image() -> Guest {
    const BEGIN: &str = r#"(memory (export "memory") 32)"#;

    let bytes = assemble("hostile", |source| {
        assert!(source.contains(BEGIN), "the guest has another memory");
        let image = "x".repeat(8 << 20);
        let memory = format!(
            r#"(memory (export "memory") 192)
    (data (i32.const 0x300000) "{image}")
    (func $read-all (local $at i32)
      (loop $next
        (drop (i32.load8_u (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 0xb00000)))))
    (start $read-all)"#
        );
        source.replace(BEGIN, &memory)
    });
    Guest::of(bytes)
}

/// All slots of the pool map the same image.
#[cfg(target_os = "linux")]
#[test]
fn max_total_memory_counts_the_image_of_a_large_guest_once() {
    const GUESTS: usize = 60;

    let guest = hostile_with_a_large_image();
    for in_file in [true, false] {
        let cache = tempfile::tempdir().expect("a folder");
        let folder = if in_file {
            cache.path().to_owned()
        } else {
            // No cache can be created below a file.
            let file = cache.path().join("file");
            fs::write(&file, "").expect("a file");
            file
        };
        let host = TestHost::serve(guest.path())
            .cache(folder)
            .flag("--max-total-memory", "320MiB")
            .flag("--request-timeout", "1")
            // Long enough for a busy machine.
            .flag("--queue-timeout", "600")
            .flag("--audit", "none")
            .flag("--ops-addr", "127.0.0.1:0")
            .start_within(Duration::from_mins(2));
        let operators = Operators::of(&host);
        // More than have room at the same time: some wait, none is refused.
        for mut client in send_at_once(&host, GUESTS, &get("/sleep")) {
            check_problem(&client.receive(), 504, &["in time"]);
        }
        operators.wait_for(&[("instances{function=\"guest\"}", 0.0)]);
        for _ in 0..100 {
            assert_eq!(host.send(&get("/good")).status, 200);
        }
        let metrics = operators.metrics();
        let refused = metrics.get("refusals_total{reason=\"memory\"}");
        assert_eq!(refused, Some(0.0), "{}", metrics.text());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn max_total_memory_bounds_guests_that_grow_at_once_and_is_returned() {
    const GUESTS: usize = 12;
    /// File pages do not count: the program, and compiled code.
    const FILES: u64 = 100 * MIB;

    let (host, operators) = TestHost::serve_guest("hostile")
        .flag("--max-total-memory", "300MiB")
        .flag("--max-memory", "128MiB")
        .flag("--request-timeout", "2")
        .flag("--queue-timeout", "600")
        .flag("--audit", "none")
        .start_with_operators();
    // Each grows as far as it may, writes to it, and waits until its timeout.
    for mut client in send_at_once(&host, GUESTS, &get("/hold-memory")) {
        check_problem(&client.receive(), 504, &["in time"]);
    }
    let peak = host.memory_bytes("VmHWM");
    assert!(peak < 300 * MIB + FILES, "{} MiB", peak / MIB);
    operators.wait_for(&[("instances{function=\"guest\"}", 0.0)]);
    // Immediately, not only after a while.
    for _ in 0..100 {
        assert_eq!(host.send(&get("/good")).status, 200);
    }
    let metrics = operators.metrics();
    let count = |name: &str| metrics.get(name).unwrap_or_default();
    assert!(count("guest_memory_refusals_total") > 0.0);
    assert_eq!(metrics.get("guest_memory_held_bytes"), Some(0.0));
    // The server reports it, and is ready.
    let _ = host
        .log()
        .wait_for_entry(&["memory limit exceeded", "--max-total-memory"]);
    let ready = operators.get("/readyz");
    assert_eq!(ready.status, 200);
    let text = String::from_utf8_lossy(&ready.body);
    assert!(text.contains("growths of memories of guests"), "{text}");
}

/// Idle instances of `--reuse` are dropped while requests wait for memory.
#[cfg(target_os = "linux")]
#[test]
fn reuse_drops_idle_instances_while_requests_wait_for_memory() {
    let (host, operators) = TestHost::serve_guest("hostile")
        .flag("--max-total-memory", "200MiB")
        .flag("--max-memory", "120MiB")
        .flag("--reuse", "1000")
        .flag("--threads", "2")
        .flag("--audit", "none")
        .start_with_operators();
    // Connections go to the threads in turn.
    let [mut first, mut second, mut third] = [(); 3].map(|()| host.connect());
    // The instances of both threads together have all memory.
    for client in [&mut first, &mut second] {
        assert_eq!(client.exchange(&get("/grow-and-touch")).status, 200);
    }
    // The first thread needs a second instance, and the second thread none.
    third.write(&get("/sleep").bytes());
    operators.wait_for(&[("requests_in_flight{function=\"guest\"}", 1.0)]);
    assert_eq!(first.exchange(&get("/good")).status, 200);
    operators.wait_for(&[
        ("instances{function=\"guest\"}", 2.0),
        ("instances_not_reused_total{function=\"guest\"}", 0.0),
    ]);
}

#[test]
fn max_total_memory_below_the_sum_of_max_memory_is_reported_at_start() {
    let host = TestHost::serve_guest("unruly")
        .flag("--max-total-memory", "1GiB")
        .flag("--max-memory", "64MiB")
        .flag("--max-concurrency", "100")
        .start();
    let wanted = format!("wanted={}", 6400 * MIB);
    let _ = host
        .log()
        .wait_for_entry(&["guests may want more memory together", &wanted]);
}

/// A short form of `make pressure`.
#[cfg(target_os = "linux")]
#[test]
fn a_server_in_128_mib_survives_hostile_and_large_guests_without_a_lost_request() {
    let plan = Plan {
        limit_bytes: 128 * MIB,
        duration: Duration::from_secs(20),
        seed: 1,
    };
    let report = pressure::run(&plan).unwrap_or_else(|why| panic!("{why}"));
    assert!(
        report.violations.is_empty(),
        "{:?}\n{report}",
        report.violations
    );
    // Without these, the test proves nothing.
    assert!(!report.good.times.is_empty(), "{report}");
    assert!(report.large.answered > 0, "{report}");
    assert!(report.hostile.answered > 0, "{report}");
    assert!(report.refused_growths > 0.0, "{report}");
}
