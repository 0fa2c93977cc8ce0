//! Removed, renamed, replaced and truncated files of an open log.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use audit_log::Location;
use audit_log::verify::Options;

use super::{gives_receipt, path, wait_until, wal};
use crate::support::{
    append, block_on, boot, folder, json_lines, lines, locations, open, record, sqlite, verified,
};

/// Attacks the files of an open log, and undoes the attack, if that is possible. In between the log
/// must give no receipt and report the failure, even if nothing is written; afterwards it continues.
fn check_attack(location: &Location, attack: impl FnOnce(), undo: Option<&dyn Fn()>) {
    let log = open(location);
    block_on(append(&log, 1));
    attack();
    wait_until("an idle log notices", || log.metrics().is_failing);
    for _ in 0..3 {
        assert!(!gives_receipt(&log), "{location}");
    }
    if let Some(undo) = undo {
        undo();
        wait_until("the log continues", || gives_receipt(&log));
        assert!(!log.metrics().is_failing);
        block_on(log.close());
        let report = verified(location, &Options::default());
        assert!(report.is_good(), "{report}");
        let lines = lines(location);
        assert!(lines.iter().any(|line| line.contains("log-recovered")));
        assert!(lines.iter().any(|line| record(line).guest.is_some()));
    }
}

#[test]
fn removed_log_gives_no_receipts() {
    let folder = folder();
    for location in locations(&folder) {
        check_attack(
            &location,
            || fs::remove_file(path(&location)).expect("a file"),
            None,
        );
        assert!(!path(&location).exists(), "no file is created in its place");
    }
}

#[test]
fn renamed_log_gives_no_receipts_until_it_is_back() {
    let folder = folder();
    for location in locations(&folder) {
        let (here, away) = (path(&location), folder.path().join("away"));
        check_attack(
            &location,
            || fs::rename(here, &away).expect("a file"),
            Some(&|| fs::rename(&away, here).expect("a file")),
        );
    }
}

#[test]
fn log_in_a_renamed_folder_gives_no_receipts_until_it_is_back() {
    let folder = folder();
    let (here, away) = (folder.path().join("here"), folder.path().join("away"));
    fs::create_dir(&here).expect("a folder");
    for name in ["audit.db", "audit.jsonl"] {
        let location: Location = match name {
            "audit.db" => Location::Sqlite(here.join(name)),
            _ => Location::JsonLines(here.join(name)),
        };
        check_attack(
            &location,
            || fs::rename(&here, &away).expect("a folder"),
            Some(&|| fs::rename(&away, &here).expect("a folder")),
        );
    }
}

#[test]
fn replaced_log_gives_no_receipts_and_leaves_the_other_log_unchanged() {
    let folder = folder();
    for location in locations(&folder) {
        let here = path(&location).to_owned();
        let other = folder.path().join("other");
        let other = match location {
            Location::Sqlite(_) => Location::Sqlite(other),
            _ => Location::JsonLines(other),
        };
        boot(&other, 20);
        let before = lines(&other);
        let away = folder.path().join("away");
        check_attack(
            &location,
            || {
                fs::rename(&here, &away).expect("a file");
                fs::rename(path(&other), &here).expect("a file");
            },
            None,
        );
        let copy = folder.path().join("copy");
        fs::copy(&here, &copy).expect("a file");
        let copy = match location {
            Location::Sqlite(_) => Location::Sqlite(copy),
            _ => Location::JsonLines(copy),
        };
        assert_eq!(lines(&copy), before, "{location}");
        for name in ["other", "away", "copy"] {
            let _ = fs::remove_file(folder.path().join(name));
        }
    }
}

#[test]
fn truncated_log_gives_no_receipts() {
    let folder = folder();
    for location in locations(&folder) {
        let empty = || {
            let file = OpenOptions::new().write(true).open(path(&location));
            file.expect("a file").set_len(0).expect("a disk");
        };
        check_attack(&location, empty, None);
    }
}

#[test]
fn bytes_that_another_program_appends_to_a_file_are_removed() {
    let folder = folder();
    let location = json_lines(&folder);
    let log = open(&location);
    block_on(append(&log, 1));
    let mut file = OpenOptions::new()
        .append(true)
        .open(path(&location))
        .expect("a file");
    file.write_all(b"{\"host\":{}}\n").expect("a disk");
    wait_until("the log continues", || {
        lines(&location)
            .iter()
            .any(|line| line.contains("log-recovered"))
    });
    block_on(log.close());
    let report = verified(&location, &Options::default());
    assert!(report.is_good(), "{report}");
}

#[test]
fn removed_or_truncated_write_ahead_log_loses_no_receipt() {
    for is_removed in [true, false] {
        let folder = folder();
        let location = sqlite(&folder);
        let log = open(&location);
        block_on(append(&log, 1));
        if is_removed {
            fs::remove_file(wal(&location)).expect("a file");
        } else {
            File::create(wal(&location)).expect("a file");
        }
        wait_until("an idle log notices", || {
            log.metrics().is_failing || !gives_receipt(&log)
        });
        if is_removed {
            // The file was still open, and its records are in the database by now.
            wait_until("the log continues", || gives_receipt(&log));
            block_on(log.close());
            let lines = lines(&location);
            assert!(lines.iter().any(|line| record(line).guest.is_some()));
            let report = verified(&location, &Options::default());
            assert!(report.is_good(), "{report}");
        }
    }
}
