//! Clients that do not read their responses.
#![cfg(target_os = "linux")]

use end_to_end::TestHost;
use end_to_end::client::Request;
use end_to_end::guests::Guest;
use end_to_end::operators::Operators;

/// Peak memory of the server, in MiB.
fn peak_mib(host: &TestHost) -> u64 {
    host.memory_bytes("VmHWM") >> 20
}

#[test]
fn a_response_that_is_not_read_is_not_buffered_in_memory() {
    let guest = Guest::assemble("hostile");
    let host = TestHost::serve(guest.path())
        .flag("--write-timeout", "1")
        .flag("--ops-addr", "127.0.0.1:0")
        .start();
    let operators = Operators::of(&host);
    let mut connection = host.connect();
    connection.write(&Request::new("GET", "/write-for-ever").bytes());
    operators.wait_for(&[("connection_errors_total{kind=\"write_timeout\"}", 1.0)]);
    // Without backpressure, it would be hundreds of MiB.
    let peak = peak_mib(&host);
    assert!(peak < 100, "{peak} MiB");
}
