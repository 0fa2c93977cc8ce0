//! promtool, which parses metrics as Prometheus does.

use end_to_end::app;
use std::fs::{self, File};
use std::process::Stdio;

use end_to_end::client::{Request, encrypt};
use end_to_end::installed::Installed;
use end_to_end::operators::Operators;
use end_to_end::process::Process;

/// A server with a value for each kind of metric.
fn busy_server() -> (end_to_end::TestHost, Operators) {
    let (host, operators) = app().start_with_operators();
    assert_eq!(host.send(&encrypt("a")).status, 200);
    assert_eq!(host.send(&Request::new("GET", "/none")).status, 404);
    operators.wait_for(&[(
        "requests_total{function=\"app\",method=\"POST\",code=\"200\"}",
        1.0,
    )]);
    (host, operators)
}

#[test]
fn promtool_finds_nothing_to_criticise_in_metrics_of_the_text_format() {
    let Some(promtool) = Installed::find("promtool", "--version") else {
        return;
    };
    let (_host, operators) = busy_server();
    let text = operators.get("/metrics").body;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("metrics");
    fs::write(&file, text).expect("a file");
    let output = promtool
        .command()
        .args(["check", "metrics"])
        .stdin(File::open(file).expect("a file"))
        .stdout(Stdio::piped())
        .output()
        .expect("promtool");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{output:?}");
}

/// Its parser of `OpenMetrics` is in the command that fills a database, which needs timestamps.
#[test]
fn promtool_reads_metrics_of_openmetrics() {
    let Some(promtool) = Installed::find("promtool", "--version") else {
        return;
    };
    let (_host, operators) = busy_server();
    let metrics = operators.metrics();
    let timed = |line: &str| match line.strip_prefix('#') {
        Some(_) => format!("{line}\n"),
        None => format!("{line} 1700000000\n"),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("metrics");
    fs::write(&file, metrics.text().lines().map(timed).collect::<String>()).expect("a file");
    let mut command = promtool.command();
    command
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([file, folder.path().join("database")]);
    let finished = Process::start(&mut command).finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    // It prints the block that it made of the samples.
    assert!(finished.stdout.contains("BLOCK ULID"), "{finished:?}");
}
