//! The limit of the service: messages of at most 1 MiB.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{chunk, decrypt, encrypt, post};
use end_to_end::{DEADLINE, TestHost, artifacts};

const MIB: usize = 1024 * 1024;

fn app() -> TestHost {
    TestHost::serve(artifacts::component("app")).start()
}

#[test]
fn a_message_of_exactly_1_mib_is_encrypted() {
    let response = app().send(&encrypt(&"a".repeat(MIB)));
    check_result(&response, &"d".repeat(MIB));
}

#[test]
fn a_message_of_exactly_1_mib_is_decrypted() {
    let response = app().send(&decrypt(&"d".repeat(MIB)));
    check_result(&response, &"a".repeat(MIB));
}

#[test]
fn a_message_of_one_byte_more_is_too_large() {
    let response = app().send(&encrypt(&"a".repeat(MIB + 1)));
    check_problem(&response, 413, &["1048576"]);
}

#[test]
fn the_limit_counts_bytes_and_not_characters() {
    let message = format!("é{}", "a".repeat(MIB - 1));
    check_problem(&app().send(&encrypt(&message)), 413, &["1048576"]);
}

#[test]
fn a_message_that_json_doubles_may_be_half_as_long() {
    let message = "\n".repeat(MIB / 2);
    check_result(&app().send(&encrypt(&message)), &message);
    let message = "\n".repeat(MIB);
    check_problem(
        &app().send(&encrypt(&message)),
        413,
        &["1048576", "1049600"],
    );
}

#[test]
fn an_announced_gibibyte_is_refused_before_it_is_sent() {
    let host = TestHost::serve(artifacts::component("app"))
        .flag("--max-request-body", "2GiB")
        .flag("--body-buffer", "0")
        .start();
    let mut connection = host.connect();
    let announced = post("/encrypt", "").header("content-length", "1073741824");
    connection.write(&announced.head());
    check_problem(&connection.receive(), 413, &["1048576"]);
}

#[test]
fn a_chunked_body_is_refused_after_little_more_than_1_mib_of_it() {
    let host = app();
    let mut connection = host.connect();
    connection.write(&post("/encrypt", "").chunked().head());
    // The last chunk is never sent.
    let part = chunk(&vec![b' '; 64 * 1024]);
    for _ in 0..17 {
        connection.write(&part);
    }
    check_problem(&connection.receive(), 413, &["1048576"]);
}

#[test]
fn an_endless_chunked_body_is_refused() {
    let host = app();
    let mut connection = host.connect();
    connection.write(&post("/encrypt", "").chunked().head());
    let part = chunk(&vec![b' '; 64 * 1024]);
    // After the response the server reads for another 30 s, so that a proxy sees it.
    let begin = Instant::now();
    let refused = loop {
        if let Err(error) = connection.try_write(&part) {
            break error;
        }
        assert!(begin.elapsed() < 4 * DEADLINE, "it reads on for ever");
        thread::sleep(Duration::from_millis(100));
    };
    assert!(
        matches!(
            refused.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ),
        "{refused}"
    );
}

#[test]
fn the_server_continues_after_a_body_that_is_too_large() {
    let host = app();
    check_problem(&host.send(&encrypt(&"a".repeat(MIB + 1))), 413, &[]);
    check_result(&host.send(&encrypt("a")), "d");
}
