//! Verification without this program, by the commands in `docs/guide/audit-log.md`, with `sqlite3`,
//! `sha256sum` and `openssl`. Tests are skipped if a program is not installed.

use std::path::Path;
use std::process::Command;

use crate::support::{boot, folder, key, lines, record, sqlite, verified};
use audit_log::prune::prune;
use audit_log::verify::Options;

/// Runs a shell script, if all programs that it needs are installed.
fn shell(needs: &[&str], script: &str, folder: &Path) -> Option<String> {
    for program in needs {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        if !found.is_ok_and(|found| found.status.success()) {
            println!("skipped: `{program}` is not installed");
            return None;
        }
    }
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{text}{errors}");
    Some(text)
}

/// The code block of the document that contains `word`.
fn documented(word: &str) -> &'static str {
    let document = include_str!("../../docs/guide/audit-log.md");
    let mut blocks = document
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0));
    blocks.find(|block| block.contains(word)).expect("a block")
}

#[test]
fn documented_queries_return_records() {
    let folder = folder();
    boot(&sqlite(&folder), 3);
    let queries = documented("GROUP BY 1, 2");
    if let Some(text) = shell(&["sqlite3"], queries, folder.path()) {
        assert!(text.contains("act|success|2\nact|denied|1\n"), "{text}");
        assert!(text.contains("|none\n"), "{text}");
    }
}

#[test]
fn vacuumed_database_verifies() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 3);
    let future = "2999-01-01".parse().expect("a day");
    prune(&location, &future, &key(&location)).expect("a log");
    boot(&location, 3);
    if shell(&["sqlite3"], "sqlite3 audit.db VACUUM", folder.path()).is_none() {
        return;
    }
    let report = verified(&location, &Options::default());
    assert!(report.is_good(), "{report}");
    let text = shell(
        &["sha256sum"],
        documented("sha256sum record"),
        folder.path(),
    );
    let text = text.expect("all programs");
    assert_eq!(text.matches("good").count(), 8, "{text}");
    assert!(!text.contains("WRONG"), "{text}");
}

#[test]
fn chain_verifies_with_sqlite3_and_sha256sum() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 3);
    let needs = ["sqlite3", "sha256sum"];
    let Some(text) = shell(&needs, documented("sha256sum record"), folder.path()) else {
        return;
    };
    assert_eq!(
        text,
        "1 good\n2 good\n3 good\n4 good\n5 good\n6 good\n7 good\n"
    );
    let change = "sqlite3 audit.db \"UPDATE records SET record = replace(record, \
                  '\\\"act\\\"', '\\\"axt\\\"') WHERE sequence = 3\"";
    shell(&needs, change, folder.path());
    let text = shell(&needs, documented("sha256sum record"), folder.path()).expect("it was there");
    assert!(text.contains("3 good\n4 WRONG\n5 good"), "{text}");
}

#[test]
fn checkpoint_verifies_with_openssl() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 3);
    let pem = key(&location).public_key().to_pem();
    std::fs::write(folder.path().join("audit.pem"), pem).expect("a disk");
    // `xxd` is not installed everywhere.
    let lines = lines(&location);
    let checkpoint = record(lines.last().expect("a record")).checkpoint;
    let signature = serde_json::to_value(checkpoint).expect("JSON");
    let signature = signature["signature"].as_str().expect("text").to_owned();
    let bytes = signature.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).expect("text");
        u8::from_str_radix(pair, 16).expect("digits")
    });
    let bytes: Vec<_> = bytes.collect();
    std::fs::write(folder.path().join("signature"), bytes).expect("a disk");
    let documented = documented("pkeyutl");
    let script = documented.replace("field signature | xxd -r -p > signature\n", "");
    let Some(text) = shell(&["sqlite3", "openssl"], &script, folder.path()) else {
        return;
    };
    assert_eq!(text, "Signature Verified Successfully\n");
    if let Some(text) = shell(&["sqlite3", "openssl", "xxd"], documented, folder.path()) {
        assert_eq!(text, "Signature Verified Successfully\n");
    }
}

#[test]
fn key_created_by_openssl_signs_a_log() {
    let folder = folder();
    let location = sqlite(&folder);
    let make = "umask 077; openssl genpkey -algorithm ed25519 -out audit.db.key";
    if shell(&["openssl"], make, folder.path()).is_none() {
        return;
    }
    boot(&location, 1);
    let public = "openssl pkey -in audit.db.key -pubout";
    let public = shell(&["openssl"], public, folder.path()).expect("it was there");
    assert_eq!(public, key(&location).public_key().to_pem());
    let report = verified(&location, &Options::default());
    assert!(report.is_good(), "{report}");
}
