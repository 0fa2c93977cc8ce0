//! The load generator: `wrk`, with a script that reports exact figures.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::load::job::Job;
use crate::servers::process::Process;
use crate::servers::programs::scratch;

const REMEDY: &str = "cannot run `wrk`; run `make wrk`";

/// `wrk` with its script.
pub(crate) struct Wrk {
    /// Folder of its script and of the files that the script reads.
    folder: PathBuf,
    pub(crate) version: String,
}

/// Its counts; times in microseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) duration_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    connect_errors: u64,
    read_errors: u64,
    write_errors: u64,
    status_errors: u64,
    timeouts: u64,
}

impl Wrk {
    /// Finds the program and writes its script.
    pub(crate) fn find() -> Result<Self> {
        // It prints version and usage, and exits with 1.
        let output = Command::new("wrk").arg("-v").output().context(REMEDY)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let first = text.lines().next().unwrap_or_default();
        let version = first
            .split(" Copyright")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        ensure!(version.starts_with("wrk"), REMEDY);

        let folder = scratch();
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create `{}`", folder.display()))?;
        let wrk = Self { folder, version };
        fs::write(wrk.script(), include_str!("wrk.lua"))?;
        Ok(wrk)
    }

    /// Sends the requests of `job` for this number of seconds.
    pub(crate) fn run(
        &self,
        addr: SocketAddr,
        job: &Job,
        connections: u32,
        seconds: u32,
    ) -> Result<Counted> {
        let (body_file, paths_file) = (self.folder.join("body"), self.folder.join("paths"));
        fs::write(&body_file, job.body())?;
        fs::write(&paths_file, job.paths().join("\n"))?;
        let mut command = Command::new("wrk");
        command
            .arg(format!("--threads={}", threads(connections)))
            .arg(format!("--connections={connections}"))
            .arg(format!("--duration={seconds}s"))
            // A longer latency counts as an error.
            .arg("--timeout=10s")
            .arg("--script")
            .arg(self.script())
            .arg(format!("http://{addr}{}", job.path()))
            .arg("--")
            .args([&body_file, &paths_file])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut wrk = Process::spawn(&mut command)?;
        let mut output = String::new();
        if let Some(stdout) = &mut wrk.child().stdout {
            stdout.read_to_string(&mut output)?;
        }
        let status = wrk.wait()?;
        ensure!(
            status.success(),
            "`wrk` ended with {status}: {}",
            output.trim()
        );
        parse(&output)
    }

    fn script(&self) -> PathBuf {
        self.folder.join("wrk.lua")
    }
}

impl Counted {
    /// Answered requests per second.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / Duration::from_secs_f64(self.duration_us / 1e6).as_secs_f64()
    }

    /// Fails unless each request got an answer like the checked one, of `answer_bytes`.
    ///
    /// `wrk` itself counts statuses from 400 on; other wrong answers differ in size.
    pub(crate) fn check(&self, answer_bytes: usize, connections: u32) -> Result<()> {
        let Self {
            connect_errors,
            read_errors,
            write_errors,
            ..
        } = self;
        let (status_errors, timeouts) = (self.status_errors, self.timeouts);
        let failures = connect_errors + read_errors + write_errors + status_errors + timeouts;
        if failures > 0 {
            bail!(
                "of {} requests, {failures} failed: {status_errors} error statuses, \
                 {timeouts} timeouts, {connect_errors} connections not made, \
                 {read_errors} reads and {write_errors} writes broken",
                self.requests
            );
        }
        ensure!(self.requests > 0, "no request was answered");

        // At the end an answer may be in flight on each connection.
        let answer_bytes = answer_bytes as u64;
        let expected = self.requests * answer_bytes;
        let tolerance = expected / 50 + u64::from(connections) * answer_bytes;
        ensure!(
            self.bytes.abs_diff(expected) <= tolerance,
            "expected {} answers of {answer_bytes} bytes, received {} bytes in all",
            self.requests,
            self.bytes
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

    const REPORT: &str = r#"report {"requests": 1000, "bytes": 158000, "duration_us": 2000000, "p50_us": 700, "p90_us": 900, "p99_us": 1400, "max_us": 3100, "connect_errors": 0, "read_errors": 0, "write_errors": 0, "status_errors": 0, "timeouts": 0}"#;

    fn counted() -> Counted {
        parse(&format!(
            "Running 2s test @ http://127.0.0.1:1/encrypt\n  ...\n{REPORT}\n"
        ))
        .unwrap()
    }

    #[test]
    fn the_report_follows_the_output_of_wrk() {
        let counted = counted();
        assert_eq!((counted.requests, counted.bytes), (1000, 158_000));
        assert!((counted.p99_us - 1400.0).abs() < 1e-9);
        assert!((counted.per_second() - 500.0).abs() < 1e-9);
    }

    #[test]
    fn output_without_a_report_is_shown() {
        let error = parse("unable to connect\n").unwrap_err().to_string();
        assert!(error.contains("unable to connect"), "{error}");
    }

    #[test]
    fn answers_of_the_checked_size_pass() {
        counted().check(158, 32).unwrap();
    }

    #[test]
    fn one_error_status_is_an_error() {
        let counted = Counted {
            status_errors: 1,
            ..counted()
        };
        let error = counted.check(158, 32).unwrap_err().to_string();
        assert!(error.contains("1 error statuses"), "{error}");
    }

    #[test]
    fn answers_of_another_size_are_an_error() {
        assert!(counted().check(200, 32).is_err());
    }

    #[test]
    fn no_answer_is_an_error() {
        let counted = Counted {
            requests: 0,
            bytes: 0,
            ..counted()
        };
        assert!(counted.check(158, 32).is_err());
    }

    #[test]
    fn one_connection_has_one_thread() {
        assert_eq!(threads(1), 1);
    }
}
