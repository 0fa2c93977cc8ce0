//! `experiments/mixed`: a gate and an application for different versions of WASI, which the server
//! connects, each with settings of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::artifacts::{component, experiment, target, workspace};
use end_to_end::cases::check_result;
use end_to_end::client::{encrypt, get};
use end_to_end::functions::Folder;
use end_to_end::installed::Installed;
use end_to_end::operators::Operators;
use end_to_end::{Setup, TestHost};

use crate::audit::sha256;
use crate::transcripts::{is_current, typed_again};

const TOKEN: &str = "open-sesame";

/// A server with the file of the experiment, and the folder of that file.
fn serve() -> (Folder, TestHost) {
    let file = fs::read_to_string(workspace().join("experiments/mixed/functions.toml"));
    let target = target().display().to_string();
    let folder = Folder::new();
    let file = file.expect("a file").replace("../../target", &target);
    folder.put("functions.toml", file);
    let host = setup(&folder).start();
    Operators::of(&host).wait_until_ready("ready\n");
    (folder, host)
}

fn setup(folder: &Folder) -> Setup {
    TestHost::serve_functions(folder.join("functions.toml")).flag("--ops-addr", "127.0.0.1:0")
}

/// The output of a command against `host`, in `folder`.
fn type_in(command: &str, host: &TestHost, folder: &Path) -> String {
    let command = command.replace("127.0.0.1:3000", &host.address().to_string());
    let output = Command::new("sh")
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(folder)
        .output()
        .expect("a shell");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_session_in_the_readme_of_mixed_is_current() {
    if Installed::find("curl", "--version").is_none() {
        return;
    }
    let (folder, host) = serve();
    let readme = workspace().join("experiments/mixed/README.md");
    let document = fs::read_to_string(&readme).expect("a README");
    let typed = typed_again(&document, |command| type_in(command, &host, folder.path()));
    is_current(&readme, &typed);
}

#[test]
fn each_part_of_a_mixed_function_has_its_own_token_key_and_limits() {
    let (_folder, host) = serve();
    let request = encrypt("hello world");
    assert_eq!(host.send(&request).status, 401);
    check_result(&host.send(&request.bearer(TOKEN)), "khoor zruog");
    let large = encrypt(&"a".repeat(1_000_000)).bearer(TOKEN);
    check_result(&host.send(&large), &"d".repeat(1_000_000));
    let misplaced = encrypt("hello").path("/misplaced/encrypt").bearer(TOKEN);
    assert_eq!(host.send(&misplaced).status, 500);
    let events = |token| host.send(&get("/events/events?count=2").bearer(token));
    assert_eq!(events(TOKEN).status, 401);
    assert!(events("another").text().ends_with("data: event 2 of 2\n\n"));
}

#[test]
fn the_audit_log_names_each_part_of_a_mixed_function_by_the_digest_of_its_file() {
    let (_folder, host) = serve();
    let records = host.audit_records().into_iter().map(|record| record.json);
    let loaded = records.filter(|record| {
        let is_load = record["event"]["type"] == "component-load";
        is_load && record["host"]["component"]["name"] == "cipher"
    });
    let digests: Vec<_> = loaded
        .map(|record| record["host"]["component"]["sha256"].clone())
        .collect();
    let gate = sha256(&experiment("parts", "gate-middleware"));
    assert_eq!(digests, [gate, sha256(&component("app"))]);
    // The entry of a request is that of the application.
    check_result(&host.send(&encrypt("hello").bearer(TOKEN)), "khoor");
    let entries = host.audit_entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].json["host"]["component"]["sha256"], digests[1]);
}
