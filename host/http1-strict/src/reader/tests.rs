use super::*;

const LIMITS: MessageLimits = MessageLimits {
    head_bytes: 200,
    body_bytes: 1000,
    target_bytes: 50,
    fields: 10,
};
const HEAD: &str = "POST / HTTP/1.1\r\nhost: a\r\n";

/// Reads `text` in pieces of `at_once` bytes. Returns the accepted bytes and the result.
fn read(text: &str, at_once: usize) -> (String, Result<(), Violation>, StrictReader) {
    let mut reader = StrictReader::new(LIMITS);
    let mut accepted = Vec::new();
    let mut waiting = Vec::new();
    for piece in text.as_bytes().chunks(at_once) {
        waiting.extend_from_slice(piece);
        while !waiting.is_empty() {
            match reader.advance(&mut waiting) {
                Ok(Progress::Accept(count)) => accepted.extend(waiting.drain(..count)),
                Ok(Progress::Discard(count)) => drop(waiting.drain(..count)),
                Ok(Progress::Rewrite(line)) => waiting = line.replace_in(&waiting),
                Ok(Progress::Incomplete) => break,
                Err(violation) => return (text_of(accepted), Err(violation), reader),
            }
        }
    }
    (text_of(accepted), Ok(()), reader)
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn messages_are_accepted_in_pieces_of_any_size() {
    let text = format!(
        "{HEAD}content-length: 3\r\n\r\nabc{HEAD}transfer-encoding: chunked\r\n\r\n\
         3;a=\"b\"\r\nabc\r\n0\r\nx: y\r\n\r\n{HEAD}\r\n"
    );
    for at_once in 1..text.len() {
        let (accepted, result, reader) = read(&text, at_once);
        assert_eq!(
            (accepted.as_str(), result),
            (text.as_str(), Ok(())),
            "{at_once}"
        );
        assert!(reader.is_between_messages());
        assert_eq!(reader.heads(), 3);
    }
}

#[test]
fn a_rejected_head_is_not_accepted_in_part() {
    for (bad, status) in [
        ("GET / HTTP/1.1\nhost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\rb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\r\nhost: a\r\n\r\n", 400),
        ("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ] {
        for at_once in [1, 2, 3, 7, 100] {
            let (accepted, result, _) = read(&format!("{HEAD}\r\n{bad}"), at_once);
            assert_eq!(accepted, format!("{HEAD}\r\n"), "{bad}");
            assert_eq!(result.unwrap_err().status().as_u16(), status, "{bad}");
        }
    }
}

#[test]
fn target_and_head_limits_hold_for_an_unfinished_head() {
    let long_target = format!("GET /{}", "a".repeat(150));
    assert_eq!(read(&long_target, 9).1, Err(Violation::TargetTooLong));
    let long_field = format!("{HEAD}a: {}", "a".repeat(200));
    assert_eq!(read(&long_field, 9).1, Err(Violation::HeadTooLarge));
}

#[test]
fn a_single_empty_line_before_a_request_is_discarded() {
    let (accepted, result, _) = read(&format!("\r\n{HEAD}\r\n"), 1);
    assert_eq!((accepted, result), (format!("{HEAD}\r\n"), Ok(())));
}

#[test]
fn invalid_chunks_are_rejected() {
    for bad in [
        "x\r\n",
        "\r\n",
        "-1\r\na\r\n",
        "0x1\r\na\r\n",
        "1 \r\na\r\n",
        "1\na\r\n",
        "1\r\nab\r\n",
        "1\r\na\n",
        "1;\x01\r\na\r\n",
        "1;a=\"\r\na\r\n",
        "3E9\r\n",
        "1;\rb\r\na\r\n",
        "11112222333344445\r\n",
        "0\r\ncontent-length: 1\r\n\r\n",
        "0\r\n x: y\r\n\r\n",
        "0\r\nx\r\n\r\n",
        "0\r\n\n",
    ] {
        for at_once in [1, 4, 100] {
            let text = format!("{HEAD}transfer-encoding: chunked\r\n\r\n{bad}");
            assert!(read(&text, at_once).1.is_err(), "{bad:?}");
        }
    }
}

#[test]
fn chunk_extensions_and_trailers_are_limited() {
    let chunked = format!("{HEAD}transfer-encoding: chunked\r\n\r\n");
    let extension = format!("{chunked}1;{}", "a".repeat(MAX_CHUNK_LINE_BYTES));
    assert!(read(&extension, 99).1.is_err());
    let trailers = format!("{chunked}0\r\n{}", "a: b\r\n".repeat(40));
    assert_eq!(read(&trailers, 99).1, Err(Violation::HeadTooLarge));
}
