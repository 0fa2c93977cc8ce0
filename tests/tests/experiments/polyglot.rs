//! `experiments/polyglot`: the cipher in JavaScript.

use std::process::{Command, Stdio};

use end_to_end::TestHost;
use end_to_end::artifacts::experiment;
use end_to_end::cases::{self, check_problem, check_result};
use end_to_end::client::encrypt;

use crate::foreign::COMPILING;

fn is_missing(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null());
    command.status().is_err()
}

/// One test, so that the engine is compiled only once.
#[test]
fn the_cipher_in_javascript_answers_like_that_in_rust() {
    for program in ["node", "npm"] {
        if is_missing(program) {
            println!("skipped: `{program}` is missing, which builds the cipher in JavaScript");
            return;
        }
    }
    let app = experiment("polyglot", "app");

    let host = TestHost::serve(&app).start_within(COMPILING);
    for (name, case) in cases::all() {
        println!("{name}");
        case.check(&host.send(&case.request));
    }
    let entry = &host.audit_entries()[0].text;
    let expected = r#"{"action":"encrypt","outcome":"success","resource":"caesar","attributes":[{"name":"message-bytes","value":"11"}]}"#;
    assert!(entry.contains(expected), "{entry}");

    for (shift, encrypted) in cases::SHIFTS {
        let host = TestHost::serve(&app).env("SHIFT_AMOUNT", shift).start();
        check_result(&host.send(&encrypt(cases::SHIFTED)), encrypted);
    }

    let host = TestHost::serve(&app).env("SHIFT_AMOUNT", "abc").start();
    let response = host.send(&encrypt("hello"));
    check_problem(&response, 500, &["SHIFT_AMOUNT", "`abc`"]);
}
