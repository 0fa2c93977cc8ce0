//! `slowhttptest`, a program with the known attacks by slow connections.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::servers::process::Process;
use crate::servers::programs::scratch;

/// Number of connections, and of new connections per second.
const CONNECTIONS: &str = "1000";
const RATE: &str = "200";

/// An attack, with the figures of the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The head of a request never ends (slowloris).
    Head,
    /// Its body never ends.
    Body,
    /// The answer is read a few bytes at a time.
    Read,
}

impl Mode {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Head => &["-H", "-t", "GET", "-i", "10", "-x", "24"],
            Self::Body => &["-B", "-t", "POST", "-i", "10", "-s", "8192", "-x", "10"],
            #[rustfmt::skip]
            Self::Read => &["-X", "-t", "GET", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"],
        }
    }
}

/// Its counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Slowhttptest {
    runs: u32,
    peak_connected: u32,
    closed: u32,
}

impl fmt::Display for Slowhttptest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            runs,
            peak_connected,
            closed,
        } = self;
        write!(
            f,
            "{peak_connected} connections at once, {closed} closed by the server"
        )?;
        if *runs > 1 {
            write!(f, " ({runs} runs: all were closed before the end)")?;
        }
        Ok(())
    }
}

/// Fails with a remedy unless the program is there.
pub(crate) fn find() -> Result<()> {
    let output = Command::new("slowhttptest").arg("-h").output();
    output.context("cannot run `slowhttptest`; run `make slowhttptest`")?;
    Ok(())
}

/// Runs it against `path` for `duration`, again where all of its connections are closed before.
pub(crate) fn run(
    addr: SocketAddr,
    path: &str,
    mode: Mode,
    duration: Duration,
) -> Result<Slowhttptest> {
    let end = Instant::now() + duration;
    let report = scratch().join("slowhttptest");
    let mut seen = Slowhttptest::default();
    loop {
        // It counts once per second.
        let seconds = end.saturating_duration_since(Instant::now()).as_secs();
        if seconds < 2 {
            return Ok(seen);
        }
        let mut command = Command::new("slowhttptest");
        command
            .args(mode.flags())
            .args(["-c", CONNECTIONS, "-r", RATE, "-p", "3", "-l"])
            .arg(seconds.to_string())
            .arg("-u")
            .arg(format!("http://{addr}{path}"))
            .arg("-g")
            .arg("-o")
            .arg(&report)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = Process::spawn(&mut command)?.wait()?;
        ensure!(status.success(), "`slowhttptest` ended with {status}");
        let counted = fs::read_to_string(report.with_extension("csv"))
            .context("`slowhttptest` wrote no figures")?;
        seen.add(&counted)?;
    }
}

impl Slowhttptest {
    /// Adds the counts of one run, a line of CSV per second.
    fn add(&mut self, counted: &str) -> Result<()> {
        let mut lines = counted.lines();
        let headings: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let column = |name: &str| {
            let place = headings.iter().position(|heading| *heading == name);
            place.with_context(|| format!("expected figures of `slowhttptest`, found `{counted}`"))
        };
        let (connected, closed) = (column("Connected")?, column("Closed")?);
        let mut closed_until_now = 0;
        for line in lines {
            let figure = |column| line.split(',').nth(column)?.trim().parse::<u32>().ok();
            self.peak_connected = self
                .peak_connected
                .max(figure(connected).unwrap_or_default());
            closed_until_now = figure(closed).unwrap_or(closed_until_now);
        }
        self.runs += 1;
        self.closed += closed_until_now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTED: &str = "Seconds,Closed,Pending,Connected,Service Available\n\
        0,0,1,0,300\n1,0,1,250,300\n2,120,1,130,300\n3,250,0,0,300\n";

    #[test]
    fn the_peak_of_connections_and_the_last_count_of_closed_ones_are_kept() {
        let mut seen = Slowhttptest::default();
        seen.add(COUNTED).unwrap();
        let expected = "250 connections at once, 250 closed by the server";
        assert_eq!(seen.to_string(), expected);
    }

    #[test]
    fn the_number_of_runs_is_shown() {
        let mut seen = Slowhttptest::default();
        seen.add(COUNTED).unwrap();
        seen.add(COUNTED).unwrap();
        assert!(seen.to_string().contains("500 closed"), "{seen}");
        assert!(seen.to_string().contains("2 runs"), "{seen}");
    }

    #[test]
    fn an_unknown_csv_format_is_an_error() {
        assert!(Slowhttptest::default().add("Seconds,Open\n").is_err());
    }
}
