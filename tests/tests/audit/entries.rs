//! The entries of the cipher, and their sequence numbers.

use std::thread;

use end_to_end::app;
use end_to_end::cases::check_result;
use end_to_end::client::{decrypt, encrypt, post};

use super::{Log, check_sequences, encrypt_hello};

#[test]
fn both_directions_leave_an_entry() {
    let log = Log::new();
    let host = log.serve();
    encrypt_hello(&host);
    check_result(&host.send(&decrypt("khoor")), "hello");
    let entries = log.entries();
    assert_eq!(entries[0]["guest"]["action"], "encrypt");
    assert_eq!(entries[1]["guest"]["action"], "decrypt");
}

#[test]
fn a_failed_call_leaves_an_entry() {
    let log = Log::new();
    let host = app()
        .flag("--audit", log.flag())
        .env("SHIFT_AMOUNT", "abc")
        .start();
    assert_eq!(host.send(&encrypt("hello")).status, 500);
    assert_eq!(log.entries()[0]["guest"]["outcome"], "failure");
}

#[test]
fn a_request_that_reaches_no_cipher_leaves_no_entry() {
    let log = Log::new();
    let host = log.serve();
    assert_eq!(host.send(&post("/encrypt", "hello")).status, 400);
    assert!(log.entries().is_empty());
}

#[test]
fn messages_are_in_no_log() {
    let log = Log::new();
    let mut host = app()
        .flag("--audit", log.flag())
        .process_env("RUST_LOG", "debug")
        .start();
    check_result(
        &host.send(&encrypt("correcthorsebattery")),
        "fruuhfwkruvhedwwhub",
    );
    check_result(
        &host.send(&decrypt("staplestaplestaple")),
        "pqxmibpqxmibpqxmib",
    );
    assert_eq!(host.send(&post("/encrypt", "notjsonatall")).status, 400);
    host.terminate();
    let printed = log.text() + &host.log().wait_for_end();
    for secret in [
        "correcthorsebattery",
        "fruuhfwkruvhedwwhub",
        "staplestaplestaple",
        "pqxmibpqxmibpqxmib",
        "notjsonatall",
    ] {
        assert!(!printed.contains(secret), "`{secret}` is in:\n{printed}");
    }
    assert_eq!(log.entries().len(), 2);
}

#[test]
fn sequences_continue_after_a_restart() {
    let log = Log::new();
    for _ in 0..2 {
        let mut host = log.serve();
        encrypt_hello(&host);
        encrypt_hello(&host);
        host.terminate();
    }
    assert_eq!(log.entries().len(), 4);
    check_sequences(&log);
}

#[test]
fn sequences_of_concurrent_requests_have_no_gaps() {
    let log = Log::new();
    let host = log.serve();
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| encrypt_hello(&host));
        }
    });
    assert_eq!(log.entries().len(), 64);
    check_sequences(&log);
}
