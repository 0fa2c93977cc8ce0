//! `--max-host-memory` of guests of WASI 0.3.

use end_to_end::artifacts::test_guest;
use end_to_end::cases::check_problem;
use end_to_end::client::get;
use end_to_end::{Setup, TestHost};

use super::{MIB, check_limit_in_log, limited, send_after, upstream};

/// A path whose guest keeps nothing.
const NOTHING: &str = "/keep-fields?drop";

/// The functions of `keep.rs` that retain more than a handle. A request retains the buffer of its
/// body, whatever is set.
const TRAPPING: [&str; 10] = [
    "from-list",
    "set",
    "append",
    "clone",
    "request",
    "response",
    "method",
    "path",
    "scheme",
    "authority",
];

fn serve(more: impl FnOnce(Setup) -> Setup) -> TestHost {
    let setup = TestHost::serve(test_guest("hostile-03"));
    more(limited(setup)).start()
}

#[track_caller]
fn check_kept(host: &TestHost, path: &str) {
    let response = send_after(host, NOTHING, path);
    assert_eq!(
        (response.status, &*response.text()),
        (200, "kept"),
        "{path}"
    );
}

#[test]
fn max_host_memory_traps_a_guest_of_wasi_0_3_beyond_it_with_500() {
    let host = serve(|setup| setup);
    for function in TRAPPING {
        let response = send_after(&host, NOTHING, &format!("/keep-{function}"));
        check_limit_in_log(&host, &response);
    }
    // Each is a KiB.
    check_kept(&host, "/keep-fields");
}

#[test]
fn max_host_memory_counts_only_handles_of_wasi_0_3_that_are_not_dropped() {
    let host = serve(|setup| setup);
    for function in TRAPPING {
        check_kept(&host, &format!("/keep-{function}?drop"));
    }
}

/// The server is full: the guest is not at fault, and a later request can succeed.
#[test]
fn max_total_memory_counts_host_memory_of_wasi_0_3_and_answers_503() {
    let host = serve(|setup| {
        setup
            .flag("--max-host-memory", "1GiB")
            .flag("--max-total-memory", "160MiB")
    });
    // As for WASI 0.2.
    let limit = 160 * MIB / 4 * 5;
    for function in TRAPPING {
        let path = format!("/keep-{function}");
        let mut client = host.connect();
        client.write(&get(&path).bytes());
        let response = host.holds_at_most(limit, || client.receive_if_any());
        let response = response.unwrap_or_else(|| panic!("{path}: no response"));
        check_problem(&response, 503, &["overloaded"]);
        let id = response.header("x-request-id").expect("an id");
        let _ = host.log().wait_for_entry(&[id, "--max-total-memory"]);
    }
    // Nothing is held after their end.
    let mut client = host.connect();
    for _ in 0..20 {
        assert_eq!(client.exchange(&get(NOTHING)).status, 200);
    }
}

#[test]
fn max_host_memory_counts_requests_and_responses_of_other_servers_for_wasi_0_3() {
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n", "a".repeat(60_000));
    let authority = upstream(format!("{head}content-length: 0\r\n\r\n"));
    let host = serve(|setup| {
        let setup = setup.flag("--allow-outbound", format!("http://{authority}"));
        // So small that fewer connections exceed it.
        setup.flag("--max-host-memory", "4MiB")
    });
    let response = send_after(&host, NOTHING, &format!("/keep-send?{authority}"));
    check_limit_in_log(&host, &response);
}
