//! Isolation of requests from each other, and leaks. `traces.rs` of the guest searches its instance
//! for traces of other requests, and leaves as many as it can.

use std::collections::BTreeMap;
use std::thread;

use end_to_end::client::{Request, get};
use end_to_end::random::Random;

use super::{guest, wait_until_idle};

/// The status for all traces that the guest can find: 500 and the sum of them.
const ALL_TRACES: u16 = 500 + 1 + 2 + 4 + 8;

#[test]
fn no_request_of_100_000_to_wasi_0_3_finds_a_trace_of_another() {
    const CONNECTIONS: usize = 4;
    const BATCHES: usize = 250;
    const LOOKS: usize = 50;

    let host = guest().start();
    // One in a hundred traps, so that the next instances get what it left.
    let looks = get("/look").bytes().repeat(LOOKS);
    let others = get("/look-and-close").bytes().repeat(LOOKS);
    let batch = [looks, others, get("/look-and-trap").bytes()].concat();

    let client = || {
        let mut connection = host.connect();
        let mut statuses = Vec::new();
        for _ in 0..BATCHES {
            connection.write(&batch);
            statuses.extend((0..=2 * LOOKS).map(|_| connection.receive().status));
        }
        statuses
    };
    let mut answers = BTreeMap::new();
    thread::scope(|scope| {
        for client in [(); CONNECTIONS].map(|()| scope.spawn(client)) {
            for status in client.join().expect("answers") {
                *answers.entry(status).or_insert(0) += 1;
            }
        }
    });
    assert_eq!(answers, BTreeMap::from([(200, 100_000), (500, 1000)]));
}

#[test]
fn a_guest_of_wasi_0_3_finds_traces_of_every_kind_where_an_instance_is_reused() {
    let host = guest().flag("--threads", "1").flag("--reuse", "2").start();
    let look = get("/look-and-close");
    let statuses = [(); 4].map(|()| host.send(&look).status);
    assert_eq!(statuses, [200, ALL_TRACES, 200, ALL_TRACES]);
}

#[cfg(target_os = "linux")]
#[test]
fn thousands_of_streams_that_a_guest_leaves_open_are_dropped_with_its_instance() {
    const STREAMS: usize = 4000;
    const REQUESTS: usize = 200;
    /// Free memory of the allocator. All streams together would be more.
    const KEPT_BYTES: u64 = 16 << 20;

    let (host, operators) = guest().flag("--audit", "none").start_with_operators();
    let request = get(&format!("/leave-streams?{STREAMS}"));
    let mut connection = host.connect();
    let mut send = |count: usize| {
        for _ in 0..count {
            assert_eq!(connection.exchange(&request).body, b"good");
        }
    };
    send(20);
    let before = host.anonymous_bytes();
    send(REQUESTS);
    wait_until_idle(&operators);
    let after = host.anonymous_bytes();
    assert!(after < before + KEPT_BYTES, "{before} bytes, then {after}");
}

/// Requests that end in every way, some of which their clients abort.
#[test]
fn of_100_000_requests_of_wasi_0_3_those_that_are_aborted_or_fail_leave_nothing_in_the_pool() {
    /// Those that end by themselves, at once.
    const SHORT: usize = 7;
    const PATHS: [&str; 16] = [
        "/good",
        "/trap",
        "/trap-at-end",
        "/trap-after-body",
        "/half-body",
        "/echo",
        "/leave-streams",
        "/trap-in-body",
        "/never",
        "/never-body",
        "/block",
        "/spin",
        "/spin-after-body",
        "/hold-after-body",
        "/write-for-ever",
        "/write-slowly",
    ];
    const ROUNDS: usize = 4;
    const REQUESTS: usize = 25_000;
    const CLIENTS: usize = 8;
    /// Free memory of the allocator, and what slots keep.
    #[cfg(target_os = "linux")]
    const KEPT_BYTES: u64 = 16 << 20;

    let (host, operators) = guest()
        .flag("--request-timeout", "1")
        .flag("--response-idle-timeout", "1")
        .flag("--post-return-timeout", "0.2")
        .flag("--cpu-timeout", "0.02")
        .flag("--max-response-body", "1MiB")
        .flag("--audit", "none")
        .start_with_operators();
    let run = |seed: u64| {
        let mut random = Random::new(seed);
        for _ in 0..REQUESTS / CLIENTS {
            // Few of them take long.
            let paths = if random.below(150) == 0 {
                PATHS.len()
            } else {
                SHORT
            };
            let path = PATHS[random.below(paths)];
            let mut connection = host.connect();
            let request = Request::new("POST", path).body("hello");
            connection.write(&request.bytes());
            // The others are aborted.
            if random.below(3) > 0 {
                let _ = connection.receive_if_any();
            }
        }
    };
    let all = || {
        thread::scope(|scope| {
            for seed in 0..CLIENTS as u64 {
                scope.spawn(move || run(seed));
            }
        });
        wait_until_idle(&operators);
    };
    all();
    #[cfg(target_os = "linux")]
    let before = host.anonymous_bytes();
    for _ in 1..ROUNDS {
        all();
    }
    #[cfg(target_os = "linux")]
    {
        let after = host.anonymous_bytes();
        assert!(after < before + KEPT_BYTES, "{before} bytes, then {after}");
    }
    assert_eq!(host.send(&get("/good")).body, b"good");
}
