//! The load generator: `wrk`, with a script that reports exact figures.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::job::Job;
use super::paced::list;
use crate::process::Process;
use crate::programs::scratch;

const REMEDY: &str = "cannot run `wrk`; run `make wrk`";

/// Its counts; times in microseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Counted {
    pub(crate) requests: f64,
    bytes: f64,
    pub(crate) duration_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// Number of requests that failed, by kind.
    errors: BTreeMap<String, u64>,
    /// Answers by the received bytes, so that a part of one counts.
    #[serde(skip)]
    pub(crate) answers: f64,
}

/// Finds the program, writes its script into the scratch folder, and returns its version.
pub(crate) fn find() -> Result<String> {
    // It prints version and usage, and exits with 1.
    let output = Command::new("wrk").arg("-v").output().context(REMEDY)?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let (version, _) = text.split_once(" Copyright").context(REMEDY)?;
    fs::create_dir_all(scratch())?;
    fs::write(scratch().join("wrk.lua"), include_str!("wrk.lua"))?;
    Ok(version.trim().to_owned())
}

/// Sends the requests of `job` for this number of seconds, and fails unless each got the expected
/// answer: the first one is checked, the others have the same size.
pub(crate) fn run(addr: SocketAddr, job: &Job, connections: u32, seconds: u32) -> Result<Counted> {
    let answer_bytes = job.check(addr)?;
    let mut counted = send(addr, job, connections, seconds)?;
    counted.check(answer_bytes, connections)?;
    counted.answers = counted.bytes / answer_bytes;
    Ok(counted)
}

/// Sends the requests of `job` for this number of seconds, and counts those that fail.
pub(crate) fn send(addr: SocketAddr, job: &Job, connections: u32, seconds: u32) -> Result<Counted> {
    let [script, body, paths] = ["wrk.lua", "body", "paths"].map(|name| scratch().join(name));
    fs::write(&body, &job.body)?;
    fs::write(&paths, job.paths.join("\n"))?;
    let mut command = Command::new("wrk");
    command
        .arg(format!("--threads={}", threads(connections)))
        .arg(format!("--connections={connections}"))
        .arg(format!("--duration={seconds}s"))
        // A longer latency counts as an error.
        .arg("--timeout=10s")
        .args(
            job.token
                .map(|token| format!("--header=Authorization: Bearer {token}")),
        )
        .arg("--script")
        .arg(script)
        .arg(format!("http://{addr}{}", job.path()))
        .arg("--")
        .args([body, paths])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut wrk = Process::spawn(&mut command)?;
    let mut output = String::new();
    if let Some(stdout) = &mut wrk.child().stdout {
        stdout.read_to_string(&mut output)?;
    }
    let status = wrk.wait()?;
    ensure!(status.success(), "`wrk` ended with {status}: {output}");
    parse(&output)
}

impl Counted {
    /// Number of requests that failed.
    pub(crate) fn failed(&self) -> f64 {
        let failed = self.errors.values().sum::<u64>();
        f64::from(u32::try_from(failed).unwrap_or(u32::MAX))
    }

    /// Requests per second that did not fail.
    pub(crate) fn per_second(&self) -> f64 {
        (self.requests - self.failed()).max(0.0) / self.duration_us * 1e6
    }

    /// Fails unless each request got an answer like the checked one, of `answer_bytes`.
    ///
    /// `wrk` itself counts statuses from 400 on; other wrong answers differ in size.
    fn check(&self, answer_bytes: f64, connections: u32) -> Result<()> {
        let (requests, bytes) = (self.requests, self.bytes);
        let mut errors = self.errors.clone();
        errors.retain(|_, count| *count > 0);
        ensure!(
            errors.is_empty(),
            "of {requests} requests, some failed: {}",
            list(&errors)
        );
        ensure!(requests > 0.0, "no request was answered");

        // At the end an answer may be in flight on each connection.
        let expected = requests * answer_bytes;
        let tolerance = expected / 50.0 + f64::from(connections) * answer_bytes;
        ensure!(
            (bytes - expected).abs() <= tolerance,
            "expected {requests} answers of {answer_bytes} bytes, received {bytes} bytes in all"
        );
        Ok(())
    }
}

/// One thread per two processors: the server needs the others.
pub(crate) fn threads(connections: u32) -> u32 {
    let processors = available_parallelism().map_or(1, usize::from);
    let half = u32::try_from(processors / 2).unwrap_or(u32::MAX);
    half.clamp(1, connections.max(1))
}

fn parse(output: &str) -> Result<Counted> {
    let report = output.lines().find_map(|line| line.strip_prefix("report "));
    let report = report.with_context(|| format!("no report from `wrk`, but: {}", output.trim()))?;
    serde_json::from_str(report).with_context(|| format!("`wrk` reported `{report}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"report {"requests": 1000, "bytes": 158000, "duration_us": 2000000, "p50_us": 700, "p90_us": 900, "p99_us": 1400, "max_us": 3100, "errors": {"error status": 0, "timeout": 0}}"#;

    fn counted() -> Counted {
        parse(&format!(
            "Running 2s test @ http://127.0.0.1:1/encrypt\n  ...\n{REPORT}\n"
        ))
        .unwrap()
    }

    #[test]
    fn the_report_follows_the_output_of_wrk() {
        let counted = counted();
        let figures = [counted.requests, counted.p99_us, counted.per_second()];
        assert!(
            figures.into_iter().eq([1000.0, 1400.0, 500.0]),
            "{figures:?}"
        );
    }

    #[test]
    fn output_without_a_report_is_shown() {
        let error = parse("unable to connect\n").unwrap_err().to_string();
        assert!(error.contains("unable to connect"), "{error}");
    }

    #[test]
    fn answers_of_the_checked_size_pass() {
        counted().check(158.0, 32).unwrap();
    }

    #[test]
    fn one_error_status_is_an_error() {
        let mut counted = counted();
        counted.errors.insert("error status".to_owned(), 1);
        let error = counted.check(158.0, 32).unwrap_err().to_string();
        assert!(error.contains("1 × error status"), "{error}");
    }

    #[test]
    fn a_refusal_is_a_failure_and_not_an_answer() {
        let mut counted = counted();
        counted.errors.insert("error status".to_owned(), 100);
        let figures = [counted.failed(), counted.per_second()];
        assert!(figures.into_iter().eq([100.0, 450.0]), "{figures:?}");
    }

    #[test]
    fn answers_of_another_size_are_an_error() {
        assert!(counted().check(200.0, 32).is_err());
    }

    #[test]
    fn no_answer_is_an_error() {
        let counted = Counted {
            requests: 0.0,
            bytes: 0.0,
            ..counted()
        };
        assert!(counted.check(158.0, 32).is_err());
    }

    #[test]
    fn one_connection_has_one_thread() {
        assert_eq!(threads(1), 1);
    }
}
