//! Pipes in place of the files of a log.

use std::fs;

use audit_log::read::{Reader, Start};
use audit_log::{AuditLog, Location, Settings};

use super::{gives_receipt, path};
use crate::support::{append, block_on, folder, sqlite};

#[test]
fn open_rejects_a_pipe_in_place_of_the_key_or_the_copies() {
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
    assert!(gives_receipt(&AuditLog::open(&settings).expect("a log")));
}

/// Creates a pipe.
fn pipe(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("pipe");
    let command = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(command.expect("mkfifo").success());
    path
}

#[test]
fn open_rejects_a_pipe_in_place_of_a_database() {
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
fn pipe_gives_receipts_only_while_a_process_reads_it() {
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
    assert!(
        !gives_receipt(&log),
        "a receipt for a record that no process reads"
    );
}
