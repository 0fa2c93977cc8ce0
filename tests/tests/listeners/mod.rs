//! Listeners: IPv4, IPv6, Unix sockets, with TLS and without.

mod tls;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use end_to_end::cases::check_result;
use end_to_end::client::{Connection, encrypt};
use end_to_end::operators::Operators;
use end_to_end::{Setup, app, artifacts};

use crate::audit::sha256;

/// Checks two requests on `connection`.
fn check_service<S: std::io::Read + std::io::Write>(mut connection: Connection<S>) {
    for _ in 0..2 {
        check_result(&connection.exchange(&encrypt("hello")), "khoor");
    }
}

fn open_unix(url: &str) -> Connection<std::os::unix::net::UnixStream> {
    let path = url
        .strip_prefix("unix:")
        .expect("a socket in the file system");
    Connection::open_unix(Path::new(path))
}

#[test]
fn ipv6_is_served() {
    let host = app().address("[::1]:0").start();
    assert!(host.urls()[0].starts_with("http://[::1]:"), "{host:?}");
    check_service(host.connect());
}

#[test]
fn a_unix_socket_is_served_and_removed_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let mut host = app().address(format!("unix:{}", path.display())).start();
    check_service(open_unix(&host.urls()[0]));
    host.terminate();
    assert!(!path.exists());
}

/// Runs this in a shell that becomes the server.
fn after(setup: Setup, command: &str) -> Setup {
    setup.within("sh", &["-c", &format!("{command}; exec \"$0\" \"$@\"")])
}

#[test]
fn a_unix_socket_has_mode_0600_or_that_of_its_address_for_any_umask() {
    for umask in ["umask 0", "umask 077"] {
        for (suffix, mode) in [("", 0o600), (",mode=0660", 0o660), (",mode=0666", 0o666)] {
            let folder = tempfile::tempdir().expect("a folder");
            let (path, ops) = (folder.path().join("socket"), folder.path().join("ops"));
            let setup = app()
                .address(format!("unix:{}{suffix}", path.display()))
                .flag("--ops-addr", format!("unix:{}{suffix}", ops.display()));
            let host = after(setup, umask).start();
            for path in [path, ops] {
                let found = fs::metadata(path).expect("a socket").permissions().mode();
                assert_eq!(found & 0o7777, mode, "{umask} {suffix}");
            }
            check_service(open_unix(&host.urls()[0]));
        }
    }
}

#[test]
fn few_open_files_are_refused_or_logged_with_the_figures() {
    for limit in [16, 24, 64] {
        let setup = app().flag("--threads", "2");
        let finished = after(setup, &format!("ulimit -n {limit}")).fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(
            !finished.stdout.contains("listening"),
            "{}",
            finished.stdout
        );
        let why = format!("may open {limit} files and needs 96 or more");
        assert!(finished.stderr.contains(&why), "{}", finished.stderr);
        assert!(finished.stderr.contains("ulimit -n"), "{}", finished.stderr);
    }
    let setup = app()
        .flag("--threads", "2")
        .flag("--ops-addr", "127.0.0.1:0");
    let host = after(setup, "ulimit -n 96").start();
    let _ = host
        .log()
        .wait_for_entry(&["at most 16 connections", "96 files"]);
    // The reported number of connections fits into the limit of open files.
    let mut open: Vec<_> = (0..16).map(|_| host.connect()).collect();
    for connection in &mut open {
        check_result(&connection.exchange(&encrypt("hello")), "khoor");
    }
    assert_eq!(host.connect().receive().status, 503);
    let operators = Operators::of(&host);
    assert_eq!(operators.get("/livez").status, 200);
    drop(open);
    operators.wait_for(&[("connections_open", 0.0)]);
    check_service(host.connect());
}

#[test]
fn a_stale_unix_socket_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).expect("a socket"));
    let host = app().address(format!("unix:{}", path.display())).start();
    check_service(open_unix(&host.urls()[0]));
}

#[test]
fn a_regular_file_in_the_place_of_a_unix_socket_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    fs::write(&path, "dear diary").expect("a file");
    let address = format!("unix:{}", path.display());
    let finished = app().address(&*address).fail();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains(&address), "{}", finished.stderr);
    assert_eq!(fs::read_to_string(&path).expect("a file"), "dear diary");
}

#[test]
fn several_addresses_are_served_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let host = app()
        .and_address("[::1]:0")
        .and_address("127.0.0.1:0")
        .and_address(format!("unix:{}", path.display()))
        .start();
    let (unix, tcp) = host.urls().split_last().expect("four of them");
    assert_eq!(tcp.len(), 3);
    for url in tcp {
        let address = url.strip_prefix("http://").expect("a URL").parse();
        check_service(Connection::open(address.expect("an address")));
    }
    check_service(open_unix(unix));
}

#[test]
fn one_log_line_has_addresses_component_and_limits() {
    let component = artifacts::component("app");
    let host = app()
        .and_address("[::1]:0")
        .flag("--request-timeout", "7")
        .start();
    let digest = sha256(&component);
    let entry = host.log().wait_for_entry(&["serving", &digest]);
    for url in host.urls() {
        assert!(entry.contains(url), "{entry}");
    }
    for limit in [
        "request-timeout=7",
        "max-concurrency=1000",
        "max-header-size=32KiB",
    ] {
        assert!(entry.contains(limit), "{entry}");
    }
    assert_eq!(entry.lines().count(), 1, "{entry}");
}
