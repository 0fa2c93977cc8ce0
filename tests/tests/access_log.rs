//! `--access-log`.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::client::{Request, encrypt};
use end_to_end::process::Signal;
use end_to_end::{TestHost, app, wait};
use tempfile::TempDir;

struct Log {
    folder: TempDir,
}

impl Log {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    fn serve(&self) -> TestHost {
        app().flag("--access-log", self.path()).start()
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = wait::whole_lines(path);
    text.lines().map(str::to_owned).collect()
}

/// The part of a line between the time and the request id.
#[track_caller]
fn middle(line: &str) -> &str {
    let (_, rest) = line.split_once("] ").expect("a time");
    let (rest, micros) = rest.rsplit_once(' ').expect("a duration");
    assert!(micros.parse::<u64>().is_ok(), "{line}");
    rest.rsplit_once(' ').expect("an id").0
}

#[test]
fn access_log_has_a_line_per_request_in_the_combined_format() {
    let log = Log::new();
    let mut host = log.serve();
    let request = encrypt("a")
        .header("user-agent", "test/1 \"quoted\"")
        .header("referer", "http://example.org/")
        .header("x-request-id", "my-id");
    let response = host.send(&request);
    assert_eq!(response.status, 200);
    assert_eq!(host.send(&Request::new("GET", "/secret?key=1")).status, 404);
    host.terminate();
    let lines = lines(&log.path());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("127.0.0.1 - - ["), "{lines:?}");
    let bytes = response.body.len();
    assert_eq!(
        middle(&lines[0]),
        format!(
            r#""POST /encrypt HTTP/1.1" 200 {bytes} "http://example.org/" "test/1 \"quoted\"""#
        )
    );
    assert!(lines[0].contains("\" my-id "), "{lines:?}");
    let middle = middle(&lines[1]);
    assert!(
        middle.starts_with(r#""GET /secret HTTP/1.1" 404 "#),
        "{lines:?}"
    );
    assert!(!lines[1].contains("key"), "{lines:?}");
}

#[test]
fn access_log_has_a_line_for_an_invalid_request() {
    let log = Log::new();
    let mut host = log.serve();
    let mut connection = host.connect();
    connection.write(b"GET /forged\" 200 1 HTTP/1.1\r\nhost : x\r\n\r\n");
    assert_eq!(connection.receive().status, 400);
    host.terminate();
    let lines = lines(&log.path());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(middle(&lines[0]), r#""-" 400 0 "-" "-""#);
}

#[test]
fn access_log_lines_cannot_be_forged_by_a_client() {
    let log = Log::new();
    let mut host = log.serve();
    let forged = "x\" 200 1 \"-\" \"-\" id 1\t127.0.0.1 - - [\u{e9}\\";
    let request = encrypt("a").header("user-agent", forged);
    assert_eq!(host.send(&request).status, 200);
    host.terminate();
    let lines = lines(&log.path());
    assert_eq!(lines.len(), 1, "{lines:?}");
    let agent = r#""x\" 200 1 \"-\" \"-\" id 1\x09127.0.0.1 - - [\xc3\xa9\\""#;
    assert!(middle(&lines[0]).ends_with(agent), "{lines:?}");
}

#[test]
fn access_log_names_the_authenticated_user() {
    let log = Log::new();
    let mut host = app()
        .flag("--access-log", log.path())
        .flag("--principal-header", "x-user")
        .start();
    let request = encrypt("a").header("x-user", "alice b");
    assert_eq!(host.send(&request).status, 200);
    host.terminate();
    let lines = lines(&log.path());
    assert!(
        lines[0].starts_with(r"127.0.0.1 - alice\x20b ["),
        "{lines:?}"
    );
}

#[test]
fn sighup_reopens_the_access_log() {
    let log = Log::new();
    let mut host = log.serve();
    assert_eq!(host.send(&encrypt("a")).status, 200);
    let old = log.folder.path().join("access.log.1");
    fs::rename(log.path(), &old).expect("it can be renamed");
    // The server logs a request after it has sent the response.
    wait::until("the first line", || {
        let lines = lines(&old);
        if lines.len() == 1 {
            Ok(())
        } else {
            Err(format!("{lines:?}"))
        }
    });
    host.signal(Signal::HUP);
    let _ = host.log().wait_for_entry(&["access log was reopened"]);
    assert_eq!(host.send(&Request::new("GET", "/")).status, 404);
    host.terminate();
    let (old, new) = (lines(&old), lines(&log.path()));
    assert_eq!((old.len(), new.len()), (1, 1), "{old:?} {new:?}");
    assert!(old[0].contains("\"POST /encrypt "), "{old:?}");
    assert!(new[0].contains("\"GET / "), "{new:?}");
}

#[test]
fn access_log_on_stdout_has_only_its_lines() {
    let mut host = app().flag("--access-log", "-").start_announced_on_stderr();
    assert_eq!(host.send(&encrypt("a")).status, 200);
    host.terminate();
    let text = host.output().wait_for_end();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("\"POST /encrypt HTTP/1.1\" 200 "), "{text}");
}

#[test]
fn access_log_that_cannot_be_opened_is_an_error_at_start() {
    let log = Log::new();
    let path = log.folder.path().join("missing/access.log");
    let finished = app().flag("--access-log", &path).fail();
    assert_eq!(finished.code, Some(1));
    let path = path.to_str().expect("text");
    assert!(finished.stderr.contains(path), "{}", finished.stderr);
}

#[test]
fn access_log_on_a_full_disk_loses_no_request() {
    let mut host = app()
        .flag("--access-log", "/dev/full")
        .flag("--ops-addr", "127.0.0.1:0")
        .start();
    assert_eq!(host.send(&encrypt("a")).status, 200);
    let _ = host.log().wait_for_entry(&["access log cannot be written"]);
    assert_eq!(host.send(&encrypt("a")).status, 200);
    let operators = end_to_end::operators::Operators::of(&host);
    operators.wait_for(&[("access_log_dropped_total", 2.0)]);
    assert_eq!(host.terminate().code(), Some(0));
}
