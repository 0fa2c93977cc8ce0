use super::*;

const LIMITS: MessageLimits = MessageLimits {
    head_bytes: 200,
    body_bytes: 1000,
    target_bytes: 50,
    fields: 10,
};
const HEAD: &str = "POST / HTTP/1.1\r\nhost: a\r\n";

/// What passes of `text`, of which so many bytes come at once, and how it ends.
fn passes(text: &str, at_once: usize) -> (String, Result<(), Refusal>, Framing) {
    let mut framing = Framing::new(LIMITS);
    let mut passed = Vec::new();
    let mut waiting = Vec::new();
    for piece in text.as_bytes().chunks(at_once) {
        waiting.extend_from_slice(piece);
        while !waiting.is_empty() {
            match framing.advance(&mut waiting) {
                Ok(Progress::Passes(count)) => passed.extend(waiting.drain(..count)),
                Ok(Progress::Skipped(count)) => drop(waiting.drain(..count)),
                Ok(Progress::Replaced(line)) => waiting = line.replace_in(&waiting),
                Ok(Progress::Incomplete) => break,
                Err(refusal) => return (text_of(passed), Err(refusal), framing),
            }
        }
    }
    (text_of(passed), Ok(()), framing)
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn good_messages_pass_in_pieces_of_any_size() {
    let text = format!(
        "{HEAD}content-length: 3\r\n\r\nabc{HEAD}transfer-encoding: chunked\r\n\r\n\
         3;a=\"b\"\r\nabc\r\n0\r\nx: y\r\n\r\n{HEAD}\r\n"
    );
    for at_once in 1..text.len() {
        let (passed, result, framing) = passes(&text, at_once);
        assert_eq!(
            (passed.as_str(), result),
            (text.as_str(), Ok(())),
            "{at_once}"
        );
        assert!(framing.is_between_messages());
        assert_eq!(framing.heads, 3);
    }
}

#[test]
fn nothing_passes_of_a_head_that_is_refused() {
    for (bad, status) in [
        ("GET / HTTP/1.1\nhost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\rb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\r\nhost: a\r\n\r\n", 400),
        ("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ] {
        for at_once in [1, 2, 3, 7, 100] {
            let (passed, result, _) = passes(&format!("{HEAD}\r\n{bad}"), at_once);
            assert_eq!(passed, format!("{HEAD}\r\n"), "{bad}");
            assert_eq!(result.unwrap_err().response().0, status, "{bad}");
        }
    }
}

#[test]
fn a_head_is_not_waited_for_beyond_its_limits() {
    let long_target = format!("GET /{}", "a".repeat(150));
    assert_eq!(passes(&long_target, 9).1, Err(Refusal::TargetTooLong));
    let long_field = format!("{HEAD}a: {}", "a".repeat(200));
    assert_eq!(passes(&long_field, 9).1, Err(Refusal::HeadTooLarge));
}

#[test]
fn one_empty_line_before_a_request_is_left_out() {
    let (passed, result, _) = passes(&format!("\r\n{HEAD}\r\n"), 1);
    assert_eq!((passed, result), (format!("{HEAD}\r\n"), Ok(())));
}

#[test]
fn chunks_are_what_they_say() {
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
            assert!(passes(&text, at_once).1.is_err(), "{bad:?}");
        }
    }
}

#[test]
fn lines_in_a_body_have_limits_too() {
    let chunked = format!("{HEAD}transfer-encoding: chunked\r\n\r\n");
    let extension = format!("{chunked}1;{}", "a".repeat(MAX_CHUNK_LINE_BYTES));
    assert!(passes(&extension, 99).1.is_err());
    let trailers = format!("{chunked}0\r\n{}", "a: b\r\n".repeat(40));
    assert_eq!(passes(&trailers, 99).1, Err(Refusal::HeadTooLarge));
}
