//! Files that are removed, renamed, replaced, cut off or linked while a server writes the
//! log, or before it does.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_log::event::Event;
use audit_log::export::export;
use audit_log::query::{Filter, query};
use audit_log::read::{Reader, Start};
use audit_log::record::Subject;
use audit_log::show::{Format, Printer, ShowError};
use audit_log::tail::tail;
use audit_log::{AuditLog, Location, OpenError, Settings};
use support::{append, block_on, boot, folder, json_lines, lines, locations, open, record, sqlite};
use tempfile::TempDir;

/// How long something may take that has to happen.
const DEADLINE: Duration = Duration::from_mins(1);

fn path(location: &Location) -> &Path {
    location.path().expect("a path")
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the log takes a record.
fn takes(log: &AuditLog) -> bool {
    block_on(log.record(Subject::default(), &Event::ComponentRemoved)).is_ok()
}

/// Does something to the files of a log that is written, and undoes it, if that is
/// possible. In between no record may get a receipt, and the log must say that it fails,
/// even if nothing is to be written; afterwards it goes on.
fn check_attack(location: &Location, attack: impl FnOnce(), undo: Option<&dyn Fn()>) {
    let log = open(location);
    block_on(append(&log, 1));
    attack();
    wait_until("an idle log notices", || log.metrics().is_failing);
    for _ in 0..3 {
        assert!(!takes(&log), "{location}");
    }
    if let Some(undo) = undo {
        undo();
        wait_until("the log goes on", || takes(&log));
        assert!(!log.metrics().is_failing);
        block_on(log.close());
        let report = support::verified(location, &audit_log::verify::Options::default());
        assert!(report.is_good(), "{report}");
        let lines = lines(location);
        assert!(lines.iter().any(|line| line.contains("log-recovered")));
        assert!(lines.iter().any(|line| record(line).guest.is_some()));
    }
}

#[test]
fn a_log_that_is_removed_takes_nothing() {
    let folder = folder();
    for location in locations(&folder) {
        check_attack(
            &location,
            || fs::remove_file(path(&location)).expect("a file"),
            None,
        );
        assert!(!path(&location).exists(), "nothing is made in its place");
    }
}

#[test]
fn a_log_that_is_renamed_takes_nothing_until_it_is_back() {
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
fn a_log_whose_folder_is_renamed_takes_nothing_until_it_is_back() {
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
fn a_log_that_is_replaced_by_another_one_takes_nothing_and_leaves_that_as_it_is() {
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
fn a_log_that_is_cut_off_takes_nothing() {
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
fn a_file_that_another_program_appends_to_loses_what_that_wrote() {
    let folder = folder();
    let location = json_lines(&folder);
    let log = open(&location);
    block_on(append(&log, 1));
    let mut file = OpenOptions::new()
        .append(true)
        .open(path(&location))
        .expect("a file");
    file.write_all(b"{\"host\":{}}\n").expect("a disk");
    wait_until("the log goes on", || {
        lines(&location)
            .iter()
            .any(|line| line.contains("log-recovered"))
    });
    block_on(log.close());
    let report = support::verified(&location, &audit_log::verify::Options::default());
    assert!(report.is_good(), "{report}");
}

fn wal(location: &Location) -> PathBuf {
    path(location).with_extension("db-wal")
}

#[test]
fn a_write_ahead_log_that_is_removed_or_cut_off_loses_no_receipt() {
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
            log.metrics().is_failing || !takes(&log)
        });
        if is_removed {
            // It was still open, and what it had is in the database by now.
            wait_until("the log goes on", || takes(&log));
            block_on(log.close());
            let lines = lines(&location);
            assert!(lines.iter().any(|line| record(line).guest.is_some()));
            let report = support::verified(&location, &audit_log::verify::Options::default());
            assert!(report.is_good(), "{report}");
        }
    }
}

#[cfg(unix)]
/// What another program does to a database, and undoes.
fn execute(location: &Location, sql: &str) {
    let database = rusqlite::Connection::open(path(location)).expect("a database");
    database.busy_timeout(DEADLINE).expect("a time");
    database.execute_batch(sql).expect("a statement");
}

/// Otherwise each record would have its receipt, and be gone.
#[test]
fn a_trigger_or_a_table_of_another_program_gives_no_receipts_until_it_is_gone() {
    const CHANGES: [(&str, &str); 3] = [
        (
            "CREATE TRIGGER t AFTER INSERT ON records BEGIN
                 DELETE FROM records WHERE sequence = new.sequence; END",
            "DROP TRIGGER t",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON records BEGIN
                 UPDATE records SET record = '' WHERE sequence = new.sequence; END",
            "DROP TRIGGER t",
        ),
        ("CREATE TABLE more (number)", "DROP TABLE more"),
    ];

    for (change, undo) in CHANGES {
        let folder = folder();
        let location = sqlite(&folder);
        let log = open(&location);
        block_on(append(&log, 1));
        execute(&location, change);
        for _ in 0..3 {
            assert!(!takes(&log), "{change}");
        }
        assert!(log.metrics().is_failing, "{change}");
        // Nor does another server begin.
        block_on(log.close());
        let error = AuditLog::open(&Settings::new(location.clone())).expect_err(change);
        assert!(error.to_string().contains("schema"), "{error}");
        execute(&location, undo);
        let log = open(&location);
        assert!(takes(&log), "{change}");
        // What SQLite does itself changes no table.
        execute(&location, "VACUUM");
        assert!(takes(&log), "{change}");
    }
}

#[test]
fn a_pipe_in_the_place_of_the_key_or_of_the_copies_is_refused_and_not_waited_for() {
    let folder = folder();
    let location = sqlite(&folder);
    let copies = folder.path().join("copies");
    let mut settings = Settings::new(location.clone());
    settings.node = Some("test".to_owned());
    settings.checkpoints = Some(copies.clone());
    let log = AuditLog::open(&settings).expect("a log");
    block_on(append(&log, 1));
    block_on(log.close());
    let copy = fs::read_dir(&copies).expect("a folder").next();
    let copy = copy.expect("a copy").expect("a file").path();
    let log = path(&location).to_owned();
    let [key, lock] = ["key", "lock"].map(|name| log.with_added_extension(name));
    for file in [copy, key, lock, log] {
        let kept = fs::read(&file).expect("a file");
        fs::remove_file(&file).expect("a file");
        let command = std::process::Command::new("mkfifo").arg(&file).status();
        assert!(command.expect("mkfifo").success());
        let error = AuditLog::open(&settings).expect_err("a pipe");
        let cause = format!("{error:?}");
        assert!(cause.contains("not a regular file"), "{cause}");
        fs::remove_file(&file).expect("a pipe");
        fs::write(&file, kept).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&file, mode).expect("a file");
    }
    assert!(takes(&AuditLog::open(&settings).expect("a log")));
}

/// Makes a pipe.
fn pipe(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("pipe");
    let command = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(command.expect("mkfifo").success());
    path
}

#[test]
fn a_pipe_in_the_place_of_a_database_is_refused_and_not_waited_for() {
    let folder = folder();
    let location = Location::Sqlite(pipe(&folder));
    let error = AuditLog::open(&Settings::new(location.clone())).expect_err("a pipe");
    let cause = format!("{error:?}");
    assert!(cause.contains("not a regular file"), "{cause}");
    let Err(error) = Reader::open(&location, Start::First) else {
        panic!("a pipe was read as a database");
    };
    let cause = format!("{error:?}");
    assert!(cause.contains("not a regular file"), "{cause}");
}

#[test]
fn a_pipe_takes_records_only_while_a_process_reads_it() {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::OpenOptionsExt;

    let folder = folder();
    let path = pipe(&folder);
    let settings = Settings::new(Location::JsonLines(path.clone()));
    let error = AuditLog::open(&settings).expect_err("no reader");
    let cause = format!("{error:?}");
    assert!(cause.contains("no process reads this pipe"), "{cause}");

    let mut options = fs::File::options();
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let reader = options.read(true).open(&path).expect("a pipe");
    let log = AuditLog::open(&settings).expect("a log");
    block_on(append(&log, 1));
    let mut line = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut line).expect("a record");
    assert!(line.starts_with("{\"host\":"), "{line}");
    drop(reader);
    assert!(!takes(&log), "a receipt for a record that no process reads");
}

#[test]
fn two_writers_cannot_share_a_log_by_links() {
    for is_symbolic in [true, false] {
        let folder = folder();
        for location in locations(&folder) {
            let link = folder
                .path()
                .join("link")
                .with_extension(path(&location).extension().expect("an extension"));
            let log = open(&location);
            block_on(append(&log, 1));
            if is_symbolic {
                std::os::unix::fs::symlink(path(&location), &link).expect("a link");
            } else {
                fs::hard_link(path(&location), &link).expect("a link");
            }
            let other = match location {
                Location::Sqlite(_) => Location::Sqlite(link),
                _ => Location::JsonLines(link),
            };
            let error = AuditLog::open(&Settings::new(other)).expect_err("it is in use");
            assert!(matches!(error, OpenError::InUse { .. }), "{error}");
            // The first one goes on.
            block_on(append(&log, 2));
            block_on(log.close());
            let entries = lines(&location)
                .into_iter()
                .filter(|line| record(line).guest.is_some());
            assert_eq!(entries.count(), 2);
        }
    }
}

#[test]
fn a_database_with_two_names_is_refused() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 1);
    fs::hard_link(path(&location), folder.path().join("link.db")).expect("a link");
    let error = AuditLog::open(&Settings::new(location)).expect_err("it has two names");
    assert!(error.to_string().contains("hard links"), "{error}");
}

#[test]
fn the_write_ahead_log_gets_shorter_while_a_server_writes() {
    const BYTES: u64 = 5 * 1024 * 1024;

    let folder = folder();
    let location = sqlite(&folder);
    let log = open(&location);
    let size = || fs::metadata(wal(&location)).expect("a file").len();
    // A reader keeps it from being restarted.
    let mut reader = Reader::open(&location, Start::First).expect("a log");
    reader.hold().expect("a log");
    let cause = "x".repeat(4000);
    let write = || {
        let event = Event::FunctionsRefused {
            file: "".into(),
            cause: cause.as_str().into(),
        };
        block_on(log.record(Subject::default(), &event)).expect("a receipt");
    };
    while size() < 2 * BYTES {
        write();
    }
    drop(reader);
    wait_until("it is shorter", || {
        write();
        size() < BYTES
    });
    block_on(log.close());
}

#[test]
fn a_closed_log_can_be_opened_again_while_processes_start() {
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // A process has the files of this one open until it executes its program.
                while !has_ended.load(Ordering::Relaxed) {
                    let status = std::process::Command::new("true").status();
                    assert!(status.expect("a program").success());
                }
            });
        }
        let errors: Vec<_> = [sqlite, json_lines]
            .into_iter()
            .filter_map(|location| {
                let folder = folder();
                let settings = Settings::new(location(&folder));
                let open = || AuditLog::open(&settings).map(|log| block_on(log.close()));
                (0..200).find_map(|_| open().err())
            })
            .collect();
        has_ended.store(true, Ordering::Relaxed);
        assert!(errors.is_empty(), "{errors:?}");
    });
}

/// Copies the database alone.
fn copy_alone(location: &Location, folder: &TempDir) -> Location {
    let copy = folder.path().join("copy.db");
    fs::copy(path(location), &copy).expect("a file");
    Location::Sqlite(copy)
}

#[test]
fn a_copy_without_its_write_ahead_log_is_named_as_incomplete() {
    let folder = folder();
    let location = sqlite(&folder);
    let text = |location: &Location| {
        support::verified(location, &audit_log::verify::Options::default()).to_string()
    };
    // The last boot stopped; what follows is in the write-ahead log alone.
    boot(&location, 3);
    assert!(!text(&location).contains("-wal"));
    let log = open(&location);
    block_on(append(&log, 1));
    assert!(!text(&location).contains("-wal"));
    let copy = copy_alone(&location, &folder);
    block_on(log.close());
    assert!(lines(&copy).len() < lines(&location).len() - 2);
    // Also for those who look at it a second time.
    for _ in 0..2 {
        let text = text(&copy);
        assert!(text.contains("the newest records may be missing"), "{text}");
    }
    assert!(!text(&location).contains("-wal"));
}

/// Runs `command` where `folder` is read-only. Returns what it prints, or `None` where the
/// system lets no test make a folder read-only.
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
        eprintln!("NOT CHECKED: the system lets no test make a folder read-only");
        return None;
    }
    run(command)
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_database_is_read_in_a_folder_that_is_read_only() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 3);
    // This test program once more, as the reader.
    let this = std::env::current_exe().expect("a program");
    let this = this.to_str().expect("text");
    let read = |expected: &str| {
        let command = ["env", &format!("AUDIT={}", path(&location).display()), this];
        let only = [
            "--ignored",
            "--exact",
            "reads_the_log_that_is_named",
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
    assert!(!wal(&location).exists(), "nothing was made beside it");

    // One of a server that was killed: with a write-ahead log, and without its index.
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
fn reads_the_log_that_is_named() {
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
    println!(
        "{}",
        support::verified(&location, &audit_log::verify::Options::default())
    );
}

/// The output of a command that prints records, all of which can be read.
fn printed(print: impl FnOnce(&mut Printer<&mut Vec<u8>>) -> Result<(), ShowError>) -> Vec<u8> {
    let mut output = Vec::new();
    let mut printer = Printer::new(Format::Text, &mut output).expect("memory");
    print(&mut printer).expect("a log");
    assert_eq!(printer.unreadable(), 0);
    drop(printer);
    output
}
