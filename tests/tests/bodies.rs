//! Bodies and connections of clients, of any shape.

use std::thread;

use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{chunk, decrypt, encrypt, json, post};
use end_to_end::{TestHost, artifacts};

fn app() -> TestHost {
    TestHost::serve(artifacts::component("app")).start()
}

/// A text without characters that JSON escapes.
fn message_of(bytes: usize) -> String {
    "The quick brown fox jumps over the lazy dog. 世界 "
        .chars()
        .cycle()
        .scan(0, |total, character| {
            *total += character.len_utf8();
            (*total <= bytes).then_some(character)
        })
        .collect()
}

#[test]
fn a_message_of_1_mib_is_returned_unchanged() {
    let host = app();
    let message = message_of(1024 * 1024);
    let encrypted = host.send(&encrypt(&message)).result();
    assert!(encrypted != message);
    check_result(&host.send(&decrypt(&encrypted)), &message);
}

#[test]
fn a_client_with_an_unread_body_gets_its_answer() {
    let host = app();
    let mut connection = host.connect();
    let unread = post("/nowhere", "x".repeat(2 * 1024 * 1024));
    for _ in 0..3 {
        check_problem(&connection.exchange(&unread), 404, &["/nowhere"]);
    }
    check_result(&connection.exchange(&encrypt("a")), "d");
}

#[test]
fn a_body_in_chunks_of_one_byte_is_understood() {
    let host = app();
    let mut connection = host.connect();
    connection.write(&post("/encrypt", "").chunked().head());
    for byte in json("hello world, one byte after the other").bytes() {
        connection.write(&chunk(&[byte]));
    }
    connection.write(&chunk(b""));
    check_result(
        &connection.receive(),
        "khoor zruog, rqh ebwh diwhu wkh rwkhu",
    );
}

#[test]
fn a_thousand_chunks_in_one_packet_are_understood() {
    let host = app();
    let mut request = post("/encrypt", "").chunked().head();
    for byte in json(&"a".repeat(1000)).bytes() {
        request.extend_from_slice(&chunk(&[byte]));
    }
    request.extend_from_slice(&chunk(b""));
    let mut connection = host.connect();
    connection.write(&request);
    check_result(&connection.receive(), &"d".repeat(1000));
}

#[test]
fn requests_that_come_at_once_are_answered_in_order() {
    let host = app();
    let messages: Vec<_> = (0..20).map(|number| format!("a{number}")).collect();
    let requests: Vec<_> = messages
        .iter()
        .flat_map(|text| encrypt(text).bytes())
        .collect();
    let mut connection = host.connect();
    connection.write(&requests);
    for message in messages {
        let expected = message.replace('a', "d");
        check_result(&connection.receive(), &expected);
    }
}

#[test]
fn sixty_four_clients_each_get_their_own_answers() {
    let host = app();
    thread::scope(|scope| {
        for client in 0..64 {
            let host = &host;
            scope.spawn(move || {
                let mut connection = host.connect();
                for request in 0..10 {
                    let text = |letter| format!("{letter}{client}-{request}");
                    let response = connection.exchange(&encrypt(&text('a')));
                    check_result(&response, &text('d'));
                }
            });
        }
    });
}

#[test]
fn a_connection_is_kept_for_more_requests() {
    let host = app();
    let mut connection = host.connect();
    for _ in 0..3 {
        check_result(&connection.exchange(&encrypt("a")), "d");
    }
}

#[test]
fn a_connection_is_kept_after_a_problem() {
    let host = app();
    let mut connection = host.connect();
    let response = connection.exchange(&post("/encrypt", "hello"));
    check_problem(&response, 400, &[]);
    check_result(&connection.exchange(&encrypt("a")), "d");
}

#[test]
fn connection_close_closes_the_connection() {
    let host = app();
    let mut connection = host.connect();
    let request = encrypt("a").header("connection", "close");
    check_result(&connection.exchange(&request), "d");
    assert!(connection.is_closed_by_server());
}

#[test]
fn a_client_of_http_1_0_gets_its_answer_and_the_end_of_the_connection() {
    let host = app();
    let mut connection = host.connect();
    check_result(&connection.exchange(&encrypt("a").http_1_0()), "d");
    assert!(connection.is_closed_by_server());
}

#[test]
fn http_1_0_needs_no_host_field() {
    let host = app();
    let request = encrypt("a").http_1_0().without_header("host");
    check_result(&host.send(&request), "d");
}

#[test]
fn http_1_1_without_a_host_field_is_400() {
    let host = app();
    let response = host.send(&encrypt("a").without_header("host"));
    check_problem(&response, 400, &["missing Host header"]);
}

#[test]
fn expect_100_continue_gets_100() {
    let host = app();
    let mut connection = host.connect();
    let request = encrypt("hello world").header("expect", "100-continue");
    connection.write(&request.head());
    assert_eq!(connection.receive().status, 100);
    connection.write(json("hello world").as_bytes());
    check_result(&connection.receive(), "khoor zruog");
}

#[test]
fn expect_100_continue_gets_a_problem_before_the_body() {
    // Otherwise the server reads a small body ahead.
    let host = TestHost::serve(artifacts::component("app"))
        .flag("--body-buffer", "0")
        .start();
    let mut connection = host.connect();
    let request = encrypt("a")
        .header("content-type", "text/plain")
        .header("expect", "100-continue");
    connection.write(&request.head());
    check_problem(&connection.receive(), 415, &[]);
}

#[test]
fn a_client_that_disconnects_within_its_body_affects_no_other() {
    let host = app();
    for _ in 0..20 {
        let mut connection = host.connect();
        connection.write(&encrypt("a").header("content-length", "100").bytes());
        drop(connection);
    }
    check_result(&host.send(&encrypt("a")), "d");
}
