//! Requests that a guest of WASI 0.3 sends to a server that does not answer.

use end_to_end::client::get;
use end_to_end::upstream::Upstream;

use super::serve;
use crate::wasi_0_3::wait_until_idle;

#[test]
fn a_client_that_disconnects_cancels_the_requests_of_its_guest() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream);
    let mut client = host.connect();
    let path = format!("/send-and-wait?{}", upstream.authority());
    client.write(&get(&path).bytes());
    let mut arrival = upstream.receive();
    drop(client);
    assert_eq!(arrival.read_to_end(), b"");
    wait_until_idle(&operators);
}

#[test]
fn max_outbound_bounds_the_requests_of_a_guest_of_wasi_0_3_that_waits_for_none() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream);
    let path = format!("/send-and-keep?{}", upstream.authority());
    for _ in 0..3 {
        // It exceeds its host memory, its handles or its processor time.
        assert!(host.send(&get(&path)).status >= 500);
        wait_until_idle(&operators);
    }
    // No more than two of each were connected, and none is any more.
    let mut connections = 0;
    while !upstream.is_left_alone() {
        let mut connection = upstream.accept();
        let mut rest = Vec::new();
        // An error is a reset.
        let _ = std::io::Read::read_to_end(&mut connection, &mut rest);
        connections += 1;
    }
    assert!(connections <= 6, "{connections}");
}

#[test]
fn requests_that_a_guest_of_wasi_0_3_cancels_release_their_places() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream);
    let path = format!("/send-and-cancel?{}", upstream.authority());
    for _ in 0..3 {
        assert_eq!(host.send(&get(&path)).body, b"good");
    }
    wait_until_idle(&operators);
}
