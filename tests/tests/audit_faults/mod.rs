//! Disks that fail while the server writes its log: nobody is told that an entry is
//! in the log when it is not, and the log goes on when the disk works again.
//!
//! - this file: what is made to fail, and what has to come of it.
//! - `victim.rs`: a server whose log is going to fail, and what its clients were told.
//!
//! Faults are made by `strace`, by a small file system that is full, and by a limit of
//! the system. Where one of these cannot be had, its tests say `NOT CHECKED` and pass.

mod victim;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use end_to_end::audit::Kind;
use end_to_end::client::post;
use end_to_end::functions::Folder;
use end_to_end::guests::assemble;
use end_to_end::strace::Fault;
use end_to_end::{Setup, TestHost};
use victim::{Victim, sum};

/// How long a fault lasts at least: several times as long as the server waits before
/// it tries the log again.
const FAULT: Duration = Duration::from_millis(800);

/// Entries get receipts, then system calls fail for a while, then they work again.
fn check_fault(kind: Kind, injection: &str) {
    let mut victim = Victim::start(kind);
    victim.take(10);
    let Some(fault) = victim.inject(injection) else {
        return;
    };
    victim.take_until_refused();
    victim.refuse_for(FAULT);
    drop(fault);
    victim.refuse_until_recovered();
    victim.take(10);
    victim.check();
}

/// Makes a test for each fault.
macro_rules! faults {
    ($($name:ident: $kind:expr, $injection:expr;)*) => {
        $(
            #[test]
            fn $name() {
                check_fault($kind, $injection);
            }
        )*
    };
}

faults! {
    a_database_that_cannot_be_synced_takes_nothing:
        Kind::Sqlite, "fsync,fdatasync:error=EIO";
    a_database_that_cannot_be_synced_after_a_while_takes_nothing:
        Kind::Sqlite, "fsync,fdatasync:error=EIO:when=4+";
    a_database_that_cannot_be_written_takes_nothing:
        Kind::Sqlite, "pwrite64:error=EIO";
    a_database_that_cannot_be_written_in_the_middle_of_an_entry_takes_nothing:
        Kind::Sqlite, "pwrite64:error=EIO:when=2+";
    a_database_that_cannot_be_written_after_a_while_takes_nothing:
        Kind::Sqlite, "pwrite64:error=EIO:when=7+";
    a_database_without_space_takes_nothing:
        Kind::Sqlite, "pwrite64:error=ENOSPC:when=3+";
    a_file_that_cannot_be_synced_takes_nothing:
        Kind::JsonLines, "fsync,fdatasync:error=EIO";
    a_file_that_cannot_be_synced_after_a_while_takes_nothing:
        Kind::JsonLines, "fsync,fdatasync:error=EIO:when=4+";
    a_file_that_cannot_be_written_takes_nothing:
        Kind::JsonLines, "write:error=EIO:when=3+";
    a_file_without_space_takes_nothing:
        Kind::JsonLines, "write:error=ENOSPC";
    a_file_that_cannot_be_shortened_takes_nothing:
        Kind::JsonLines, "fdatasync,ftruncate:error=EIO";
}

#[test]
fn a_fault_that_comes_and_goes_loses_nothing() {
    for kind in Kind::ALL {
        let mut victim = Victim::start(kind);
        for count in 1..=4 {
            let injection = format!("fsync,fdatasync:error=EIO:when={count}+");
            let Some(fault) = victim.inject(&injection) else {
                return;
            };
            victim.take_until_refused();
            drop(fault);
            victim.refuse_until_recovered();
        }
        victim.check();
    }
}

#[test]
fn a_guest_that_does_not_care_is_answered_for_with_503() {
    for kind in Kind::ALL {
        let mut victim = Victim::start_as(kind, "/careless", |setup, _| setup);
        victim.take(3);
        let Some(fault) = victim.inject("fsync,fdatasync:error=EIO") else {
            return;
        };
        victim.refuse_for(FAULT);
        drop(fault);
        victim.refuse_until_recovered();
        victim.check();
    }
}

#[test]
fn a_server_that_stops_after_a_fault_takes_back_what_it_refused() {
    for kind in Kind::ALL {
        let mut victim = Victim::start(kind);
        victim.take(3);
        let Some(fault) = victim.inject("fsync,fdatasync:error=EIO") else {
            return;
        };
        victim.take_until_refused();
        drop(fault);
        victim.check();
    }
}

#[test]
fn a_server_that_is_killed_after_a_fault_has_taken_back_what_it_refused() {
    for kind in Kind::ALL {
        let mut victim = Victim::start(kind);
        victim.take(3);
        // Once: a disk that goes on to fail lets nobody take anything back.
        let Some(fault) = victim.inject("fsync,fdatasync:error=EIO:when=1") else {
            return;
        };
        victim.take_until_refused();
        drop(fault);
        victim.check_killed();
    }
}

#[test]
fn what_is_dropped_under_best_effort_is_counted() {
    for kind in Kind::ALL {
        let best_effort = |setup: Setup, _: &Path| setup.flag("--audit-policy", "best-effort");
        let victim = Victim::start_as(kind, "/value", best_effort);
        let Some(fault) = victim.inject("fsync,fdatasync:error=EIO") else {
            return;
        };
        let mut connection = victim.host.connect();
        let mut send = || {
            let response = connection.exchange(&post("/value", "x"));
            assert_eq!(response.status, 200, "{response:?}");
            let digits = str::from_utf8(&response.body).expect("text");
            digits.parse::<u64>().expect("a number")
        };
        for _ in 0..50 {
            assert_eq!(send(), 0);
        }
        drop(fault);
        let mut dropped = 50;
        while send() == 0 {
            dropped += 1;
        }
        let location = victim.location.clone();
        let mut host = victim.host;
        host.terminate();
        let records = end_to_end::audit::records(&location);
        assert_eq!(sum(&records, "entries-dropped", "count"), dropped);
        let guests = records.iter().filter(|record| record.value().is_some());
        assert_eq!(guests.count(), 1);
    }
}

#[test]
fn a_log_on_a_disk_that_is_full_goes_on_when_there_is_space() {
    /// Makes a disk in the first argument that nobody else sees.
    const MOUNT: &str = "mount -t tmpfs -o size=1m none \"$0\" && exec \"$@\"";

    let works = Command::new("unshare").args(["-rm", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("NOT CHECKED: the system lets nobody mount a small disk");
        return;
    }
    for kind in Kind::ALL {
        let mut victim = Victim::start_as(kind, "/value", |setup, folder| {
            let folder = folder.to_str().expect("text");
            setup.within("unshare", &["-rm", "sh", "-c", MOUNT, folder])
        });
        victim.take(10);
        let folder = victim.folder().strip_prefix("/").expect("a full path");
        let disk = PathBuf::from(format!("/proc/{}/root", victim.host.process_id())).join(folder);
        let filler = disk.join("filler");
        fill(&filler);
        victim.take_until_refused();
        victim.refuse_for(FAULT);
        fs::remove_file(&filler).expect("a file");
        victim.refuse_until_recovered();
        victim.take(10);
        victim.check_seen(&disk);
    }
}

/// Writes to a file until the disk is full.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    for size in [4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_not_grow_takes_nothing_and_keeps_no_half_of_a_record() {
    for kind in Kind::ALL {
        let mut victim = Victim::start(kind);
        victim.take(20);
        let bytes = match kind {
            // Less than a page, so that no room is found in a new write-ahead log.
            Kind::Sqlite => 3000,
            // Room for a part of the next record.
            Kind::JsonLines => victim.file_bytes() + 100,
        };
        victim.host.limit_files(Some(bytes));
        victim.take_until_refused();
        victim.refuse_for(FAULT);
        victim.host.limit_files(None);
        victim.refuse_until_recovered();
        victim.take(10);
        victim.check();
    }
}

#[test]
fn each_function_has_the_policy_that_it_wants() {
    let folder = Folder::new();
    folder.put("guest.wasm", assemble("appender", |source| source));
    let function = |name: &str, policy: &str| {
        format!(
            "[[function]]\nname = \"{name}\"\ncomponent = \"guest.wasm\"\n\
             audit-policy = \"{policy}\"\n"
        )
    };
    let text = function("strict", "fail-closed") + &function("loose", "best-effort");
    folder.put("functions.toml", text);
    let log = folder.join("audit.jsonl");
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .flag("--audit", format!("jsonl:{}", log.display()))
        .start();
    let status = |name: &str| host.send(&post(&format!("/{name}/value"), "x")).status;
    assert_eq!((status("strict"), status("loose")), (200, 200));
    let injection = "fsync,fdatasync:error=EIO";
    let Some(fault) = Fault::inject(host.process_id(), "audit-log", injection, &[log]) else {
        return;
    };
    assert_eq!((status("strict"), status("loose")), (503, 200));
    drop(fault);
}
