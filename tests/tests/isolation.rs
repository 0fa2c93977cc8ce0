//! Isolation of requests from each other. `guests/scribbler.wat` searches its instance for traces
//! of other requests, answers with its findings, and leaves as many traces as it can.

use std::collections::BTreeMap;
use std::thread;

use end_to_end::TestHost;
use end_to_end::client::Request;

/// The status for all traces that the guest can find: 500 and the sum of them.
const ALL_TRACES: u16 = 500 + 1 + 2 + 4 + 8 + 16 + 32;

#[test]
fn no_request_of_100_000_finds_a_trace_of_another() {
    const CONNECTIONS: usize = 4;
    const BATCHES: usize = 250;
    const LOOKS: usize = 100;

    let host = TestHost::serve_guest("scribbler").start();
    // One in a hundred traps, so that the next instances get what it left.
    let mut batch = Request::new("GET", "/look").bytes().repeat(LOOKS);
    batch.extend(Request::new("GET", "/trap").bytes());

    let client = || {
        let mut connection = host.connect();
        let mut statuses = Vec::new();
        for _ in 0..BATCHES {
            connection.write(&batch);
            statuses.extend((0..=LOOKS).map(|_| connection.receive().status));
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
    assert_eq!(answers, BTreeMap::from([(200, 100_000), (500, 1_000)]));
}

#[test]
fn the_same_guest_finds_traces_of_every_kind_where_an_instance_is_reused() {
    let host = TestHost::serve_guest("scribbler")
        .flag("--threads", "1")
        .flag("--reuse", "2")
        .start();
    let look = Request::new("GET", "/look");
    let statuses = [(); 4].map(|()| host.send(&look).status);
    assert_eq!(statuses, [200, ALL_TRACES, 200, ALL_TRACES]);
}
