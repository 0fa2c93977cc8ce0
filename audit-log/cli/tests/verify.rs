//! `verify` and `key`.

use std::io::Write;

use audit_log::{AuditLog, Settings};

use crate::support::{
    attest, block_on, boot, command, folder, json_lines, key, lines, locations, read, sqlite,
    try_command,
};

#[test]
fn verify_reports_node_chain_keys_and_checkpoints() {
    let folder = folder();
    let location = json_lines(&folder);
    boot(&location, 3);
    let audit = location.to_string();
    let key = key(&location).public_key();
    let (text, good) = command(&["verify", "--audit", &audit]);
    assert!(good);
    assert_eq!(
        text,
        format!(
            "the log of the node `test`\n\
             records 1 to 7 are a chain, with 2 checkpoints\n\
             signed by the key {key}, as named by the log itself; name the expected key with `--public-key`\n\
             verified: 7 records\n"
        )
    );
    let checkpoints = folder.path().join("checkpoints.jsonl");
    let line = serde_json::to_string(&attest(&location)).expect("JSON");
    std::fs::write(&checkpoints, format!("{line}\n{{\"node\":\n")).expect("a disk");
    // A crash after the first entry, before the next checkpoint.
    boot(&location, 1);
    let path = location.path().expect("a path");
    let crashed: String = read(path).split_inclusive('\n').take(10).collect();
    std::fs::write(path, crashed).expect("a disk");
    let pem = folder.path().join("audit.pem");
    std::fs::write(&pem, command(&["key", "--audit", &audit]).0).expect("a disk");
    let checkpoints = checkpoints.to_str().expect("text");
    let pem = pem.to_str().expect("text");
    let verify = [
        "verify",
        "--audit",
        &audit,
        "--checkpoint",
        checkpoints,
        "--public-key",
        pem,
    ];
    let (text, good) = command(&verify);
    assert!(good, "{text}");
    assert_eq!(
        text,
        format!(
            "the log of the node `test`\n\
             records 1 to 10 are a chain, with 3 checkpoints\n\
             signed by the key {key}, which was expected\n\
             1 external checkpoint matched, up to record 7\n\
             records 9 to 10 are not covered by a checkpoint yet\n\
             verified: 10 records\n"
        )
    );

    let whole = read(path);
    std::fs::write(path, format!("{whole}{{\"host\"")).expect("a disk");
    let (text, good) = command(&verify);
    assert!(!good);
    let expected = "WRONG: record 10 is followed by 7 bytes of an unfinished record";
    assert!(text.contains(expected), "{text}");

    let cut: String = whole.split_inclusive('\n').take(4).collect();
    std::fs::write(path, cut).expect("a disk");
    let (text, good) = command(&verify);
    assert!(!good);
    let expected = "WRONG: the log ends with record 4, and an external checkpoint";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn verify_rejects_another_key_than_public_key() {
    let folder = folder();
    let [one, other] = locations(&folder);
    boot(&one, 1);
    boot(&other, 1);
    let pem = folder.path().join("audit.pem");
    let (text, _) = command(&["key", "--audit", &other.to_string()]);
    std::fs::write(&pem, text).expect("a disk");
    let pem = pem.to_str().expect("text");
    let verify = |audit: &str| command(&["verify", "--audit", audit, "--public-key", pem]);
    assert!(verify(&other.to_string()).1);
    let (text, good) = verify(&one.to_string());
    assert!(!good);
    let expected = "WRONG: the checkpoint of record 1 is signed by an unexpected key";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn unfinished_record_of_a_running_server_is_not_a_finding() {
    let folder = folder();
    let location = json_lines(&folder);
    block_on(async {
        let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
        let path = location.path().expect("a path");
        let mut file = std::fs::OpenOptions::new().append(true).open(path);
        let file = file.as_mut().expect("a file");
        file.write_all(b"{\"host\":{").expect("a disk");
        let (text, good) = command(&["verify", "--audit", &location.to_string()]);
        assert!(good, "{text}");
        drop(log);
    });
}

#[test]
fn key_prints_the_public_key() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 1);
    let audit = location.to_string();
    let public = key(&location).public_key();
    assert_eq!(command(&["key", "--audit", &audit]).0, public.to_pem());
    let (hex, _) = command(&["key", "--audit", &audit, "--hex"]);
    assert_eq!(hex, format!("{public}\n"));
    assert!(lines(&location)[1].contains(hex.trim()));
}

/// Forges a line, clears the screen, and reverses the direction of the following text.
const EVIL: &str = "x\nverified: 9 records\r\u{1b}[2J\u{202e}\u{200b}";

/// Checks that `text` contains no forged line and no terminal control character.
#[track_caller]
fn check_harmless(text: &str) {
    let harmful = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c);
    assert!(!text.contains(harmful), "{text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("verified")),
        "{text}"
    );
    assert!(text.len() < 10_000, "{} bytes", text.len());
}

#[test]
fn verify_and_prune_print_no_control_character_or_forged_line_of_a_log() {
    for name in [EVIL.to_owned(), "y".repeat(1 << 20)] {
        let folder = folder();
        let location = json_lines(&folder);
        boot(&location, 3);
        let written = lines(&location);
        let name = serde_json::to_string(&name).expect("a text");
        let unknown_field = written[1].replacen('{', &format!("{{{name}:1,"), 1);
        let other_node = written[1].replacen("\"test\"", &name, 1);
        for changed in [unknown_field, other_node, format!("{{\"host\":{name}}}")] {
            assert_ne!(changed, written[1]);
            let mut log = written.clone();
            log[1] = changed;
            let path = location.path().expect("a file");
            std::fs::write(path, log.join("\n") + "\n").expect("it can be written");
            let audit = location.to_string();
            let (text, good) = command(&["verify", "--audit", &audit]);
            assert!(!good && text.contains("WRONG"), "{text}");
            check_harmless(&text);
            let error = try_command(&["prune", "--audit", &audit, "--before", "2100-01-01"]);
            let error = error.expect_err("a damaged log");
            check_harmless(&format!("{error:#}"));
        }
    }
}
