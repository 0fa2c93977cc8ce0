//! Clients that do not read their responses.
#![cfg(target_os = "linux")]

use end_to_end::TestHost;
use end_to_end::client::Request;

/// Peak memory of the server, in MiB.
fn peak_mib(host: &TestHost) -> u64 {
    host.memory_bytes("VmHWM") >> 20
}

#[test]
fn a_response_that_is_not_read_is_not_buffered_in_memory() {
    let (host, operators) = TestHost::serve_guest("hostile")
        .flag("--write-timeout", "1")
        .start_with_operators();
    let mut connection = host.connect();
    connection.write(&Request::new("GET", "/write-for-ever").bytes());
    operators.wait_for(&[("connection_errors_total{kind=\"write_timeout\"}", 1.0)]);
    // Without backpressure, it would be hundreds of MiB.
    let peak = peak_mib(&host);
    assert!(peak < 100, "{peak} MiB");
}
