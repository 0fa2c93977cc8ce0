//! A second writer of one log, and a log that is reopened.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use audit_log::{AuditLog, Location, OpenError, Settings};

use super::path;
use crate::support::{
    append, block_on, folder, json_lines, lines, locations, open, record, sqlite,
};

#[test]
fn second_writer_through_a_link_gets_in_use() {
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
            // The first one continues.
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
fn closed_log_can_be_reopened_while_processes_start() {
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // A child process has the files of this one open until `exec`.
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
