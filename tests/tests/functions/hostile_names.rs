//! Hostile names of core imports, and hostile output of guests: none forges a log line, controls a
//! terminal, or fills a log.

use std::fs;

use end_to_end::client::Request;
use end_to_end::functions::Folder;
use end_to_end::guests::{Guest, assemble};
use end_to_end::{TestHost, wait};
use serde_json::Value;

use super::admin::{Place, ask};

/// Forges a log entry, clears the screen, reverses the direction of text, and hides text.
const EVIL: &str = "x\n2026-01-01T00:00:00Z ERROR forged\r\u{1b}[2J\u{202e}\u{200b}\u{85}";

/// Maximum size of a message with its context.
const MAX_BYTES: usize = 20 << 10;

/// A component whose core module lacks an import, which its error names.
fn unsatisfied(name: &str) -> Vec<u8> {
    let name: Vec<_> = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let name = name.concat();
    let text = format!(
        r#"(component
             (core module $m (import "{name}" "f" (func)))
             (core instance (instantiate $m)))"#
    );
    wat::parse_str(text).expect("it can be assembled")
}

/// A short forging name, and one of the maximum length.
fn names() -> [String; 2] {
    [EVIL.to_owned(), format!("{EVIL}{}", "y".repeat(90_000))]
}

#[track_caller]
fn check(text: &str) {
    let harmful = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202e}' | '\u{200b}')
    };
    assert!(!text.contains(harmful), "{text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("2026-01-01")),
        "{text}"
    );
    let longest = text.lines().map(str::len).max().unwrap_or_default();
    assert!(longest < MAX_BYTES, "{longest} bytes");
}

#[test]
fn a_name_of_a_core_import_forges_no_line_of_the_log_and_does_not_fill_it() {
    for format in ["human", "json"] {
        for name in names() {
            let folder = Folder::new();
            folder.put("evil.wasm", unsatisfied(&name));
            let mut host = TestHost::serve_functions(folder.path())
                .flag("--log-format", format)
                .start();
            let _ = host.log().wait_for_entry(&["function rejected", "evil"]);
            host.terminate();
            let log = host.log().wait_for_end();
            check(&log);
            if format == "json" {
                for line in log.lines() {
                    let entry: Value = serde_json::from_str(line).expect("an object");
                    assert!(entry["timestamp"] != "2026-01-01T00:00:00Z", "{line}");
                }
            }
        }
    }
}

#[test]
fn a_name_of_a_core_import_forges_no_line_of_the_error_that_ends_the_start() {
    for name in names() {
        let guest = Guest::of(unsatisfied(&name));
        let finished = TestHost::serve(guest.path()).fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        check(&finished.stderr);
    }
}

#[test]
fn a_name_of_a_core_import_forges_no_line_of_what_deploy_prints() {
    for name in names() {
        let place = Place::new();
        let (_host, operators) = place.serve();
        let component = Guest::of(unsatisfied(&name));
        let component = component.path().display().to_string();
        let done = place.order(&operators, &["deploy", "evil", &component]);
        assert_eq!(done.code, Some(1), "{}", done.stderr);
        check(&done.stderr);
    }
}

#[test]
fn a_function_that_is_refused_for_a_hostile_name_is_bounded_in_v1_functions_and_list() {
    for name in names() {
        let place = Place::new();
        let file = place.folder().join("functions/evil.wasm");
        fs::write(file, unsatisfied(&name)).expect("it can be written");
        let (_host, operators) = place.serve();
        let listed = wait::until("the refused function", || {
            let listed = ask(&operators, "GET", "/v1/functions", b"");
            if listed.text().contains("problem") {
                Ok(listed)
            } else {
                Err(listed.text())
            }
        });
        assert!(listed.body.len() < MAX_BYTES, "{} bytes", listed.body.len());
        let done = place.order(&operators, &["list"]);
        assert!(done.stdout.contains("evil"), "{}", done.stdout);
        check(&done.stdout);
    }
}

#[test]
fn output_of_a_guest_has_no_bidi_mark_or_control_character_in_the_log() {
    // As many bytes as the text that it prints otherwise.
    let evil = assemble("counter", |source| {
        assert!(source.contains("whole "), "{source}");
        source.replace("whole ", "\\e2\\80\\ae\\1b[m")
    });
    let guest = Guest::of(evil);
    let mut host = TestHost::serve(guest.path()).start();
    assert_eq!(host.send(&Request::new("GET", "/print")).status, 200);
    let _ = host.log().wait_for_entry(&[" stdout: "]);
    host.terminate();
    check(&host.log().wait_for_end());
}
