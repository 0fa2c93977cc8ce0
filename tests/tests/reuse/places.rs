//! The number of instances with `--reuse`: idle ones count in `--max-concurrency`.

use end_to_end::TestHost;
use end_to_end::client::{Connection, chunk};

use super::{counter, waiting};

/// Waits until a guest waits for the body.
fn begin(client: &mut Connection) {
    assert_eq!(client.receive().status, 100);
}

/// Sends the end of the body that a guest waits for, and returns its count.
fn finish(client: &mut Connection) -> String {
    client.write(&chunk(b""));
    let response = client.receive();
    assert_eq!(response.status, 200, "{response:?}");
    String::from_utf8(response.body).expect("a digit")
}

#[test]
fn reuse_gives_idle_instances_to_waiting_requests() {
    // The maximum is 1,000 instances, 100 per thread here.
    const THREADS: usize = 10;
    const PLACES: usize = 100;
    const CLIENTS: usize = PLACES + 10;

    let host = TestHost::serve_guest("counter")
        .flag("--threads", THREADS.to_string())
        .flag("--reuse", "2")
        .flag("--body-buffer", "0")
        .flag("--min-body-rate", "0")
        .start();
    // Connections go to the threads in turn; these are all on one thread.
    let connect = |_| {
        let mut connections = [(); THREADS].map(|()| host.connect());
        connections[0].write(&waiting().head());
        let [first, ..] = connections;
        first
    };
    let mut clients: Vec<_> = (0..CLIENTS).map(connect).collect();
    let (first, last) = clients.split_at_mut(PLACES);
    first.iter_mut().for_each(begin);
    let counts: Vec<_> = first.iter_mut().map(finish).collect();
    assert!(counts.iter().all(|count| count == "1"), "{counts:?}");
    last.iter_mut().for_each(begin);
    let counts: Vec<_> = last.iter_mut().map(finish).collect();
    assert!(counts.iter().all(|count| count == "2"), "{counts:?}");
}

#[test]
fn reuse_prefers_idle_instances() {
    let host = counter("9");
    // With new ones, there would be more than 1,000.
    for round in 1..=6 {
        let mut clients: Vec<_> = (0..200).map(|_| host.connect()).collect();
        for client in &mut clients {
            client.write(&waiting().head());
        }
        for client in &mut clients {
            assert_eq!(client.receive().status, 100);
        }
        for client in &mut clients {
            client.write(&chunk(b""));
            assert_eq!(client.receive().body, round.to_string().as_bytes());
        }
    }
}
