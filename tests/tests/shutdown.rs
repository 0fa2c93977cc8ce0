//! The shutdown of the server.

use end_to_end::cases::check_result;
use end_to_end::client::{Connection, encrypt, json};
use end_to_end::process::Signal;
use end_to_end::{TestHost, app};

const MESSAGE: &str = "hello world";

/// Sends a request without half of its body, and returns that half. The guest runs and waits for
/// it: `100 Continue` comes only for a body that is read.
fn send_half(connection: &mut Connection) -> String {
    let request = encrypt(MESSAGE).header("expect", "100-continue");
    connection.write(&request.head());
    assert_eq!(connection.receive().status, 100);
    let mut body = json(MESSAGE);
    let rest = body.split_off(body.len() / 2);
    connection.write(body.as_bytes());
    rest
}

fn wait_for_shutdown(host: &TestHost) {
    let _ = host.log().wait_for_entry(&["no new connections"]);
}

#[test]
fn sigterm_ends_an_idle_server_with_0() {
    assert_eq!(app().start().terminate().code(), Some(0));
}

#[test]
fn sigint_ends_an_idle_server_with_0() {
    let mut host = app().start();
    host.signal(Signal::INT);
    assert_eq!(host.wait().code(), Some(0));
}

#[test]
fn shutdown_closes_connections_that_wait_for_a_request() {
    // Longer than a test takes.
    let mut host = app().flag("--grace-period", "600").start();
    let mut connection = host.connect();
    check_result(&connection.exchange(&encrypt("a")), "d");
    assert_eq!(host.terminate().code(), Some(0));
    assert!(connection.is_closed_by_server());
}

#[test]
fn shutdown_waits_for_a_running_request() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut host = app().flag("--grace-period", "600").start();
        let mut connection = host.connect();
        let rest = send_half(&mut connection);
        host.signal(signal);
        wait_for_shutdown(&host);
        connection.write(rest.as_bytes());
        check_result(&connection.receive(), "khoor zruog");
        assert_eq!(host.wait().code(), Some(0));
    }
}

#[test]
fn shutdown_refuses_new_connections_while_it_waits() {
    let host = app().flag("--grace-period", "600").start();
    let mut connection = host.connect();
    let _rest = send_half(&mut connection);
    host.signal(Signal::TERM);
    wait_for_shutdown(&host);
    let refused = Connection::try_open(host.address()).map(drop).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn grace_period_ends_an_unfinished_request() {
    let mut host = app().flag("--grace-period", "0.2").start();
    let mut connection = host.connect();
    let _rest = send_half(&mut connection);
    assert_eq!(host.terminate().code(), Some(0));
    assert_eq!(connection.receive_if_any(), None);
}

#[test]
fn the_operator_hears_of_requests_that_were_cut_off() {
    let mut host = app().flag("--grace-period", "0.2").start();
    let mut connection = host.connect();
    let _rest = send_half(&mut connection);
    host.terminate();
    let _ = host.log().wait_for_entry(&["cut off", "0.2 s"]);
}

#[test]
fn a_second_sigterm_ends_the_server_at_once() {
    let mut host = app().flag("--grace-period", "600").start();
    let mut connection = host.connect();
    let _rest = send_half(&mut connection);
    host.signal(Signal::TERM);
    wait_for_shutdown(&host);
    assert_eq!(host.terminate().code(), Some(128 + 15));
    assert_eq!(connection.receive_if_any(), None);
}

#[test]
fn a_second_sigint_ends_the_server_at_once() {
    let mut host = app().flag("--grace-period", "600").start();
    let mut connection = host.connect();
    let _rest = send_half(&mut connection);
    host.signal(Signal::INT);
    wait_for_shutdown(&host);
    host.signal(Signal::INT);
    assert_eq!(host.wait().code(), Some(128 + 2));
}
