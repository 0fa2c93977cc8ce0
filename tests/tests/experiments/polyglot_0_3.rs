//! `experiments/polyglot-0.3`: a middleware in Python in front of a service in Rust.

use std::process::{Command, Stdio};

use end_to_end::TestHost;
use end_to_end::artifacts::experiment;
use end_to_end::cases::{self, check_problem, check_result};
use end_to_end::client::{Request, chunk, post};

use super::stream::without_body_buffer;
use crate::foreign::COMPILING;

const FORM: &str = "application/x-www-form-urlencoded";

/// Maximum length of a form in bytes.
const MAX_FORM_BYTES: usize = 3 * (1 << 20) + 1024;

fn has_pip() -> bool {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn form(body: impl Into<Vec<u8>>) -> Request {
    let request = post("/encrypt", body).without_header("content-type");
    request.header("content-type", FORM)
}

/// The case that the middleware changes.
const ACCEPTED: &str = "a_form_is_an_unsupported_media_type";

/// One test, so that the engine is compiled only once.
#[test]
fn a_form_reaches_the_service_as_json_and_other_requests_are_unchanged() {
    if !has_pip() {
        println!("skipped: python3 with pip is missing, which builds the middleware in Python");
        return;
    }
    let app = experiment("polyglot-0.3", "app");
    let host = TestHost::serve(&app).start_within(COMPILING);

    for (name, case) in cases::all() {
        println!("{name}");
        let response = host.send(&case.request);
        if name == ACCEPTED {
            assert_eq!(response.status, 200, "{response:?}");
        } else {
            case.check(&response);
        }
    }

    let check = |request: &Request, encrypted| check_result(&host.send(request), encrypted);
    check(&form("message=hello+world"), "khoor zruog");
    check(&form("a=b&message=x%20%26%20y&c"), "a & b");
    check(&form("message=h%C3%A4llo+wörld&message="), "");
    check(&form("message=h%C3%A4llo+wörld"), "käoor zöuog");
    let upper = form("message=abc").without_header("content-type");
    check(
        &upper.header(
            "content-type",
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        ),
        "def",
    );
    let decrypted = form("message=def").path("/decrypt");
    check(&decrypted, "abc");
    let entry = &host.audit_entries()[0].text;
    assert!(entry.contains(r#""action":"encrypt""#), "{entry}");

    // The longest message of the service, escaped.
    let letters = 1 << 20;
    let escaped = format!("message={}", "%61".repeat(letters));
    check(&form(escaped), &"d".repeat(letters));
    let longer = form("a".repeat(MAX_FORM_BYTES + 1));
    check_problem(&host.send(&longer), 413, &[&MAX_FORM_BYTES.to_string()]);

    check_problem(&host.send(&form("text=hello")), 400, &["`message`"]);
    check_problem(
        &host.send(&form("message=%ff")),
        400,
        &["invalid form", "utf-8"],
    );
    check_problem(
        &host.send(&form("a=b&".repeat(101))),
        400,
        &["invalid form", "fields"],
    );

    // Without the last chunk, which the middleware reads itself here.
    let host = without_body_buffer(&app).start_within(COMPILING);
    let mut connection = host.connect();
    connection.write(&form("").chunked().head());
    connection.write(&chunk(b"message=hello"));
    connection.end().expect("a half-closed connection");
    check_problem(&connection.receive(), 400, &["before it was complete"]);
}
