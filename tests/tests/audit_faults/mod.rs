//! Disk faults while the server writes its audit log: no client gets a receipt for an entry that is
//! not in the log, and the log continues when the disk works again.
//!
//! - this file: the faults.
//! - `faulty_server.rs`: a server whose log fails, and the answers that its clients got.
//!
//! Faults come from `strace`, from a full file system and from a resource limit. Where one of these
//! is not available, its tests print `NOT CHECKED` and pass.

mod faulty_server;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use end_to_end::audit::{Kind, receipt};
use end_to_end::client::post;
use end_to_end::functions::Folder;
use end_to_end::guests::assemble;
use end_to_end::strace::Fault;
use end_to_end::{Setup, TestHost};
use faulty_server::{FaultyServer, sum};

/// Minimum duration of a fault: several times the interval at which the server retries the log.
const FAULT: Duration = Duration::from_millis(800);

/// Entries get receipts, then system calls fail for a while, then they work again.
fn check_fault(kind: Kind, injection: &str) {
    let mut server = FaultyServer::start(kind);
    server.append(10);
    let Some(fault) = server.inject(injection) else {
        return;
    };
    server.append_until_refused();
    server.expect_refusals(FAULT);
    drop(fault);
    server.append_until_recovered();
    server.append(10);
    server.check();
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
    fsync_eio_of_a_database_refuses_entries:
        Kind::Sqlite, "fsync,fdatasync:error=EIO";
    late_fsync_eio_of_a_database_refuses_entries:
        Kind::Sqlite, "fsync,fdatasync:error=EIO:when=4+";
    write_eio_of_a_database_refuses_entries:
        Kind::Sqlite, "pwrite64:error=EIO";
    write_eio_within_an_entry_of_a_database_refuses_entries:
        Kind::Sqlite, "pwrite64:error=EIO:when=2+";
    late_write_eio_of_a_database_refuses_entries:
        Kind::Sqlite, "pwrite64:error=EIO:when=7+";
    enospc_of_a_database_refuses_entries:
        Kind::Sqlite, "pwrite64:error=ENOSPC:when=3+";
    fsync_eio_of_a_jsonl_file_refuses_entries:
        Kind::JsonLines, "fsync,fdatasync:error=EIO";
    late_fsync_eio_of_a_jsonl_file_refuses_entries:
        Kind::JsonLines, "fsync,fdatasync:error=EIO:when=4+";
    write_eio_of_a_jsonl_file_refuses_entries:
        Kind::JsonLines, "write:error=EIO:when=3+";
    enospc_of_a_jsonl_file_refuses_entries:
        Kind::JsonLines, "write:error=ENOSPC";
    ftruncate_eio_of_a_jsonl_file_refuses_entries:
        Kind::JsonLines, "fdatasync,ftruncate:error=EIO";
}

#[test]
fn intermittent_fsync_faults_lose_no_receipt() {
    for kind in Kind::ALL {
        let mut server = FaultyServer::start(kind);
        for count in 1..=4 {
            let injection = format!("fsync,fdatasync:error=EIO:when={count}+");
            let Some(fault) = server.inject(&injection) else {
                return;
            };
            server.append_until_refused();
            drop(fault);
            server.append_until_recovered();
        }
        server.check();
    }
}

#[test]
fn a_guest_that_ignores_a_failed_append_is_answered_with_503() {
    for kind in Kind::ALL {
        let mut server = FaultyServer::start_as(kind, "/careless", |setup, _| setup);
        server.append(3);
        let Some(fault) = server.inject("fsync,fdatasync:error=EIO") else {
            return;
        };
        server.expect_refusals(FAULT);
        drop(fault);
        server.append_until_recovered();
        server.check();
    }
}

#[test]
fn a_server_that_stops_after_a_fault_removes_refused_entries() {
    for kind in Kind::ALL {
        let mut server = FaultyServer::start(kind);
        server.append(3);
        let Some(fault) = server.inject("fsync,fdatasync:error=EIO") else {
            return;
        };
        server.append_until_refused();
        drop(fault);
        server.check();
    }
}

#[test]
fn a_server_that_is_killed_after_a_fault_has_removed_refused_entries() {
    for kind in Kind::ALL {
        let mut server = FaultyServer::start(kind);
        server.append(3);
        // Once: on a disk that keeps failing the server cannot remove anything.
        let Some(fault) = server.inject("fsync,fdatasync:error=EIO:when=1") else {
            return;
        };
        server.append_until_refused();
        drop(fault);
        server.check_killed();
    }
}

#[test]
fn audit_policy_best_effort_counts_dropped_entries() {
    for kind in Kind::ALL {
        let best_effort = |setup: Setup, _: &Path| setup.flag("--audit-policy", "best-effort");
        let server = FaultyServer::start_as(kind, "/value", best_effort);
        let Some(fault) = server.inject("fsync,fdatasync:error=EIO") else {
            return;
        };
        let mut connection = server.host.connect();
        let mut send = || {
            let response = connection.exchange(&post("/value", "x"));
            receipt(&response).unwrap_or_else(|| panic!("no receipt: {response:?}"))
        };
        for _ in 0..50 {
            assert_eq!(send(), 0);
        }
        drop(fault);
        let mut dropped = 50;
        while send() == 0 {
            dropped += 1;
        }
        let location = server.location.clone();
        let mut host = server.host;
        host.terminate();
        let records = end_to_end::audit::records(&location);
        assert_eq!(sum(&records, "entries-dropped", "count"), dropped);
        let guests = records.iter().filter(|record| record.value().is_some());
        assert_eq!(guests.count(), 1);
    }
}

#[test]
fn a_log_on_a_full_disk_continues_when_there_is_space() {
    /// Mounts a file system at the first argument, visible to this process only.
    const MOUNT: &str = "mount -t tmpfs -o size=1m none \"$0\" && exec \"$@\"";

    let works = Command::new("unshare").args(["-rm", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("NOT CHECKED: cannot mount a file system here");
        return;
    }
    for kind in Kind::ALL {
        let mut server = FaultyServer::start_as(kind, "/value", |setup, folder| {
            let folder = folder.to_str().expect("text");
            setup.within("unshare", &["-rm", "sh", "-c", MOUNT, folder])
        });
        server.append(10);
        let folder = server.folder().strip_prefix("/").expect("a full path");
        let disk = PathBuf::from(format!("/proc/{}/root", server.host.process_id())).join(folder);
        let filler = disk.join("filler");
        fill(&filler);
        server.append_until_refused();
        server.expect_refusals(FAULT);
        fs::remove_file(&filler).expect("a file");
        server.append_until_recovered();
        server.append(10);
        server.check_mounted(&disk);
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
fn a_file_size_limit_refuses_entries_and_keeps_no_partial_record() {
    for kind in Kind::ALL {
        let mut server = FaultyServer::start(kind);
        server.append(20);
        let bytes = match kind {
            // Less than a page, so that a new write-ahead log has no room either.
            Kind::Sqlite => 3000,
            // Room for a part of the next record.
            Kind::JsonLines => server.file_bytes() + 100,
        };
        server.host.limit_files(Some(bytes));
        server.append_until_refused();
        server.expect_refusals(FAULT);
        server.host.limit_files(None);
        server.append_until_recovered();
        server.append(10);
        server.check();
    }
}

#[test]
fn audit_policy_holds_per_function() {
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
