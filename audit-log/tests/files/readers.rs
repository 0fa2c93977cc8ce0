//! Reading copies without the write-ahead log, and logs in read-only folders.

use std::fs;
use std::path::Path;

use audit_log::Location;
use audit_log::export::export;
use audit_log::print::{Format, PrintError, Printer};
use audit_log::query::{Filter, query};
use audit_log::read::{Reader, Start};
use audit_log::tail::tail;
use audit_log::verify::Options;
use tempfile::TempDir;

use super::{path, wal};
use crate::support::{append, block_on, boot, folder, lines, open, sqlite, verified};

/// Copies the database file alone.
fn copy_alone(location: &Location, folder: &TempDir) -> Location {
    let copy = folder.path().join("copy.db");
    fs::copy(path(location), &copy).expect("a file");
    Location::Sqlite(copy)
}

#[test]
fn copy_without_its_write_ahead_log_is_reported_as_incomplete() {
    let folder = folder();
    let location = sqlite(&folder);
    let text = |location: &Location| verified(location, &Options::default()).to_string();
    // The last boot stopped; later records are in the write-ahead log only.
    boot(&location, 3);
    assert!(!text(&location).contains("-wal"));
    let log = open(&location);
    block_on(append(&log, 1));
    assert!(!text(&location).contains("-wal"));
    let copy = copy_alone(&location, &folder);
    block_on(log.close());
    assert!(lines(&copy).len() < lines(&location).len() - 2);
    // Opening the copy must not hide this.
    for _ in 0..2 {
        let text = text(&copy);
        assert!(text.contains("the newest records may be missing"), "{text}");
    }
    assert!(!text(&location).contains("-wal"));
}

/// Runs `command` with a read-only mount of `folder`. Returns its output, or `None` if the system
/// does not permit such a mount.
#[cfg(target_os = "linux")]
fn read_only(folder: &Path, command: &[&str]) -> Option<std::process::Output> {
    const MOUNT: &str =
        "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";

    let run = |command: &[&str]| {
        let mut unshare = std::process::Command::new("unshare");
        let arguments = unshare.args(["-rm", "sh", "-c", MOUNT]).arg(folder);
        arguments.args(command).output().ok()
    };
    let works = run(&["true"]).is_some_and(|output| output.status.success());
    if !works {
        eprintln!("NOT CHECKED: the system does not permit a read-only mount");
        return None;
    }
    run(command)
}

#[cfg(target_os = "linux")]
#[test]
fn closed_database_is_readable_in_a_read_only_folder() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 3);
    // Runs this test program again, as the reader.
    let this = std::env::current_exe().expect("a program");
    let this = this.to_str().expect("text");
    let read = |expected: &str| {
        let command = ["env", &format!("AUDIT={}", path(&location).display()), this];
        let only = [
            "--ignored",
            "--exact",
            "files::readers::child_reads_the_log_of_the_environment",
            "--nocapture",
        ];
        if let Some(output) = read_only(folder.path(), &[&command[..], &only].concat()) {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{text}{errors}");
            assert!(text.contains(expected), "{text}{errors}");
        }
    };
    read("verified: 7 records");
    assert!(!wal(&location).exists(), "no file was created");

    // The log of a killed server, with a write-ahead log, but without its index.
    let crashed = folder.path().join("crashed.db");
    let log = open(&location);
    block_on(append(&log, 1));
    fs::copy(path(&location), &crashed).expect("a file");
    fs::copy(wal(&location), crashed.with_extension("db-wal")).expect("a file");
    block_on(log.close());
    fs::rename(crashed.with_extension("db-wal"), wal(&location)).expect("a file");
    fs::rename(&crashed, path(&location)).expect("a file");
    let _ = fs::remove_file(path(&location).with_extension("db-shm"));
    read("verified: 10 records");
}

#[test]
#[ignore = "run by the test above"]
fn child_reads_the_log_of_the_environment() {
    let Some(path) = std::env::var_os("AUDIT") else {
        return;
    };
    let location = Location::Sqlite(path.into());
    let reader = |start| {
        let reader = Reader::open(&location, start).expect("a log");
        assert!(reader.may_be_incomplete().is_ok());
        reader
    };
    let shown = printed(|printer| tail(&mut reader(Start::Last(10)), printer, &mut || false));
    let all = Filter::default();
    let found = printed(|printer| query(&mut reader(Start::First), &all, printer));
    let mut copied = Vec::new();
    export(&mut reader(Start::First), &mut copied).expect("a log");
    for text in [shown, found, copied] {
        let text = String::from_utf8(text).expect("text");
        assert!(text.lines().count() >= 7, "{text}");
    }
    println!("{}", verified(&location, &Options::default()));
}

/// The output of a command that prints records, all of which can be read.
fn printed(print: impl FnOnce(&mut Printer<&mut Vec<u8>>) -> Result<(), PrintError>) -> Vec<u8> {
    let mut output = Vec::new();
    let mut printer = Printer::new(Format::Text, &mut output).expect("memory");
    print(&mut printer).expect("a log");
    assert_eq!(printer.unreadable(), 0);
    drop(printer);
    output
}
