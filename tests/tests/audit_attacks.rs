//! Attacks on an audit log without its key, verified with the program. All attacks are tests of the
//! crate `audit-log`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use audit_log::Hash;
use end_to_end::artifacts::program;
use end_to_end::cases::check_result;
use end_to_end::client::encrypt;
use end_to_end::process::{Finished, Process};
use end_to_end::{Setup, app};
use serde_json::Value;

/// A JSONL log, and the public key of an auditor.
struct Log {
    folder: tempfile::TempDir,
}

impl Log {
    /// A log of three servers that stopped.
    fn new() -> Self {
        let log = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        for _ in 0..3 {
            log.serve_once();
        }
        let key = audit(&["key", "--key", &text(&log.key()), "--audit", &log.flag()]);
        fs::write(log.pem(), key.stdout).expect("a disk");
        log
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn key(&self) -> PathBuf {
        self.path().with_added_extension("key")
    }

    fn pem(&self) -> PathBuf {
        self.folder.path().join("audit.pem")
    }

    fn flag(&self) -> String {
        format!("jsonl:{}", self.path().display())
    }

    fn setup(&self) -> Setup {
        app().flag("--audit", self.flag())
    }

    fn serve_once(&self) {
        let mut host = self.setup().start();
        check_result(&host.send(&encrypt("hello")), "khoor");
        assert_eq!(host.terminate().code(), Some(0));
    }

    /// Exit code and output of a verification.
    fn verify(&self) -> Finished {
        let (log, pem) = (self.flag(), text(&self.pem()));
        audit(&["verify", "--audit", &log, "--public-key", &pem])
    }

    /// Removes all checkpoints but the first ones, changes all resources, and recomputes sequence
    /// numbers and hashes.
    fn forge(&self, checkpoints: usize) {
        let original = fs::read_to_string(self.path()).expect("a log");
        let mut kept = 0;
        let mut forged = String::new();
        let mut head = (0, "0".repeat(64));
        for line in original.lines() {
            let record: Value = serde_json::from_str(line).expect("a record");
            if record.get("checkpoint").is_some() {
                kept += 1;
                if kept > checkpoints {
                    continue;
                }
            }
            let (host, sequence) = (&record["host"], head.0 + 1);
            let previous = host["previous"].as_str().expect("a hash");
            let old = format!(
                "\"sequence\":{},\"previous\":\"{previous}\"",
                host["sequence"]
            );
            let new = format!("\"sequence\":{sequence},\"previous\":\"{}\"", head.1);
            let line = line
                .replacen(&old, &new, 1)
                .replace("\"caesar\"", "\"nothing\"");
            head = (sequence, Hash::of(&line).to_string());
            forged = forged + &line + "\n";
        }
        assert!(forged.contains("\"nothing\""));
        fs::write(self.path(), forged).expect("a disk");
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

fn audit(words: &[&str]) -> Finished {
    let mut command = Command::new(program("component-runner"));
    Process::start(command.arg("audit").args(words)).finish()
}

#[test]
fn verify_with_public_key_is_wrong_for_a_log_without_checkpoints_also_after_the_next_start() {
    // With those of the first start, too.
    for checkpoints in [0, 1] {
        let log = Log::new();
        assert_eq!(log.verify().code, Some(0), "{}", log.verify().stdout);
        log.forge(checkpoints);
        for _ in 0..2 {
            let found = log.verify();
            assert_eq!(found.code, Some(1), "{}", found.stdout);
            assert!(found.stdout.contains("WRONG"), "{}", found.stdout);
            log.serve_once();
        }
        let found = log.verify();
        assert_eq!(found.code, Some(1), "{}", found.stdout);
    }
}

#[test]
fn a_log_with_signatures_is_not_continued_without_its_key() {
    let log = Log::new();
    fs::remove_file(log.key()).expect("a key");
    let finished = log.setup().fail();
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("audit.jsonl.key` is missing"),
        "{}",
        finished.stderr
    );
    assert!(!log.key().exists());
}

#[test]
fn a_log_is_not_continued_from_an_older_copy_than_audit_checkpoints_has() {
    let log = Log::new();
    let copies = log.folder.path().join("copies");
    let older = fs::read(log.path()).expect("a log");
    let setup = || log.setup().flag("--audit-checkpoints", &copies);
    let _ = setup().start().terminate();
    fs::write(log.path(), older).expect("a disk");
    let finished = setup().fail();
    assert!(
        finished.stderr.contains("rolled back"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_database_in_memory_is_refused_as_an_audit_log() {
    for place in ["sqlite::memory:", "sqlite:file:q?mode=memory"] {
        let finished = app().flag("--audit", place).fail();
        assert_eq!(finished.code, Some(64), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("expected a path"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_database_is_not_written_by_two_servers_through_links() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.db");
    let serve = |path: &Path| app().flag("--audit", format!("sqlite:{}", path.display()));
    let host = serve(&path).start();
    let links = ["hard.db", "symbolic.db"].map(|name| folder.path().join(name));
    fs::hard_link(&path, &links[0]).expect("a link");
    std::os::unix::fs::symlink(&path, &links[1]).expect("a link");
    for link in links {
        let finished = serve(&link).fail();
        assert!(
            finished.stderr.contains("another process writes"),
            "{}",
            finished.stderr
        );
    }
    check_result(&host.send(&encrypt("hello")), "khoor");
}

#[test]
fn a_log_that_is_removed_or_renamed_under_the_server_gets_503_and_readyz_says_so() {
    for kind in ["sqlite", "jsonl"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, away) = (folder.path().join("audit"), folder.path().join("away"));
        let flag = format!("{kind}:{}", path.display());
        let setup = app().flag("--audit", flag);
        let (host, operators) = setup.start_with_operators();
        assert_eq!(host.send(&encrypt("a")).status, 200);
        fs::rename(&path, &away).expect("a file");
        assert_eq!(host.send(&encrypt("a")).status, 503);
        assert_eq!(operators.get("/readyz").status, 503);
        fs::rename(&away, &path).expect("a file");
        operators.wait_for(&[("audit_failing", 0.0)]);
        assert_eq!(host.send(&encrypt("a")).status, 200);
        // Also without a request.
        fs::remove_file(&path).expect("a file");
        operators.wait_for(&[("audit_failing", 1.0)]);
        assert_eq!(operators.get("/readyz").status, 503);
        assert!(!path.exists());
    }
}
