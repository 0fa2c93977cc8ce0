//! `slowhttptest`, a program with the known attacks by slow connections.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::process::Process;
use crate::programs::scratch;

/// Number of connections, and of new connections per second.
const CONNECTIONS: &str = "1000";
const RATE: &str = "200";

/// The flags of an attack, with the figures of the manual.
pub(crate) type Mode = &'static [&'static str];

/// The head of a request never ends (slowloris).
pub(crate) const HEAD: Mode = &["-H", "-t", "GET", "-i", "10", "-x", "24"];
/// Its body never ends.
pub(crate) const BODY: Mode = &["-B", "-t", "POST", "-i", "10", "-s", "8192", "-x", "10"];
/// The answer is read a few bytes at a time.
#[rustfmt::skip]
pub(crate) const READ: Mode = &["-X", "-t", "GET", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"];

/// Its counts: the peak of the connections, and the number of those that the server closed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    peak_connected: u32,
    closed: u32,
}

/// Fails with a remedy unless the program is there.
pub(crate) fn find() -> Result<()> {
    let output = Command::new("slowhttptest").arg("-h").output();
    output.context("cannot run `slowhttptest`; run `make slowhttptest`")?;
    Ok(())
}

/// Runs it against `path` for `duration`, again where all of its connections are closed before.
/// Returns in words what its clients observed.
pub(crate) fn run(addr: SocketAddr, path: &str, mode: Mode, duration: Duration) -> Result<String> {
    let end = Instant::now() + duration;
    let report = scratch().join("slowhttptest");
    let (mut counts, mut runs) = (Counts::default(), 0);
    loop {
        // It counts once per second.
        let seconds = end.saturating_duration_since(Instant::now()).as_secs();
        if seconds < 2 {
            break;
        }
        let (seconds, url) = (seconds.to_string(), format!("http://{addr}{path}"));
        let mut command = Command::new("slowhttptest");
        command
            .args(mode)
            .args(["-c", CONNECTIONS, "-r", RATE, "-p", "3"]);
        command
            .args(["-l", &seconds, "-u", &url, "-g", "-o"])
            .arg(&report);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = Process::spawn(&mut command)?.wait()?;
        ensure!(status.success(), "`slowhttptest` ended with {status}");
        counts.add(&fs::read_to_string(report.with_extension("csv"))?)?;
        runs += 1;
    }
    let Counts {
        peak_connected,
        closed,
    } = counts;
    let runs = format!(
        "{runs} run{}",
        if runs > 1 {
            "s: all were closed before the end"
        } else {
            ""
        }
    );
    Ok(format!(
        "{peak_connected} connections at once, {closed} closed by the server ({runs})"
    ))
}

impl Counts {
    /// Adds the counts of one run, a line of CSV per second.
    fn add(&mut self, counted: &str) -> Result<()> {
        let mut lines = counted.lines();
        let headings: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let column = |name: &str| {
            let place = headings.iter().position(|heading| *heading == name);
            place.with_context(|| format!("expected figures of `slowhttptest`, found `{counted}`"))
        };
        let (connected, closed) = (column("Connected")?, column("Closed")?);
        let mut last_closed = 0;
        for line in lines {
            let figure = |column| line.split(',').nth(column)?.trim().parse::<u32>().ok();
            self.peak_connected = self
                .peak_connected
                .max(figure(connected).unwrap_or_default());
            last_closed = figure(closed).unwrap_or(last_closed);
        }
        self.closed += last_closed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTED: &str = "Seconds,Closed,Pending,Connected,Service Available\n\
        0,0,1,0,300\n1,0,1,250,300\n2,120,1,130,300\n3,250,0,0,300\n";

    #[test]
    fn the_peak_of_connections_and_the_last_count_of_closed_ones_of_each_run_are_kept() {
        let mut counts = Counts::default();
        counts.add(COUNTED).unwrap();
        counts.add(COUNTED).unwrap();
        assert_eq!((counts.peak_connected, counts.closed), (250, 500));
    }

    #[test]
    fn an_unknown_csv_format_is_an_error() {
        assert!(Counts::default().add("Seconds,Open\n").is_err());
    }
}
