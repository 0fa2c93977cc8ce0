//! `slowhttptest`, which holds on to connections in the ways that are known to have
//! brought servers down.

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::servers::process::Process;

/// How many connections it holds, and how many it makes a second.
const CONNECTIONS: &str = "1000";
const RATE: &str = "200";

/// A way to be slow. The figures are those of its manual.
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

/// What it said at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Slowhttptest {
    runs: u32,
    most_connected: u32,
    closed: u32,
    errors: u32,
}

impl fmt::Display for Slowhttptest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            runs,
            most_connected,
            closed,
            errors,
        } = self;
        write!(
            f,
            "{most_connected} connections at once, {closed} closed by the server, {errors} errors"
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
    output
        .context("`slowhttptest` does not run; `make slowhttptest` installs it, or says how to")?;
    Ok(())
}

/// Lets it hold on to `path` for `duration`. Where all of its connections are closed
/// before the end, it comes again.
pub(crate) fn run(
    addr: SocketAddr,
    path: &str,
    mode: Mode,
    duration: Duration,
) -> Result<Slowhttptest> {
    let end = Instant::now() + duration;
    let mut seen = Slowhttptest::default();
    loop {
        // It counts in whole seconds, and looks only once in each.
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
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Process::spawn(&mut command)?;
        let mut output = String::new();
        if let Some(stdout) = &mut process.child().stdout {
            stdout.read_to_string(&mut output)?;
        }
        let status = process.wait()?;
        ensure!(status.success(), "`slowhttptest` ended with {status}");
        seen.add(&output);
    }
}

impl Slowhttptest {
    /// Adds what one run printed: a status every few seconds, of which the last
    /// counts but for the connections.
    fn add(&mut self, output: &str) {
        let figures = |name: &str| -> Vec<u32> {
            let values = output.lines().filter_map(|line| {
                let (found, value) = line.split_once(':')?;
                (found.trim_end() == name).then(|| number(value))
            });
            values.flatten().collect()
        };
        let last = |name| figures(name).last().copied().unwrap_or_default();
        let connected = figures("connected").into_iter().max().unwrap_or_default();
        self.runs += 1;
        self.most_connected = self.most_connected.max(connected);
        self.closed += last("closed");
        self.errors += last("error");
    }
}

/// The number in a text that may be coloured.
fn number(text: &str) -> Option<u32> {
    let mut plain = String::new();
    let mut parts = text.split('\x1b');
    plain.extend(parts.next());
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        plain.extend(end.map(|end| &part[end + 1..]));
    }
    plain.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\tslowhttptest version 1.8.2\n\
        connections per seconds:  \x1b[0;33m250\x1b[0m\n\
        slow HTTP test status on \x1b[0;32m5\x1b[0mth second:\n\n\
        initializing:        \x1b[0;32m0\x1b[0m\n\
        connected:           \x1b[0;32m1000\x1b[0m\nerror:  0\nclosed:   0\n\
        connected:           \x1b[0;32m20\x1b[0m\nerror:  3\nclosed:   977\n";

    #[test]
    fn the_last_status_counts_but_for_the_connections() {
        let mut seen = Slowhttptest::default();
        seen.add(OUTPUT);
        let expected = "1000 connections at once, 977 closed by the server, 3 errors";
        assert_eq!(seen.to_string(), expected);
    }

    #[test]
    fn several_runs_are_said_to_be_several() {
        let mut seen = Slowhttptest::default();
        seen.add(OUTPUT);
        seen.add(OUTPUT);
        assert!(seen.to_string().contains("1954 closed"), "{seen}");
        assert!(seen.to_string().contains("2 runs"), "{seen}");
    }
}
