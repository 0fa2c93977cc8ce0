//! A server that runs and has been seen to answer.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::load::http;
use crate::servers::Server;
use crate::servers::process::Process;

/// How long a server may take until it listens: the first time it compiles.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How long to wait between two attempts to connect.
const RETRY_INTERVAL: Duration = Duration::from_micros(200);

/// The port is chosen before the server binds it, so another program can be
/// faster. That happens rarely, and hardly twice.
const ATTEMPTS: usize = 3;

/// What is asked of all servers.
pub(crate) const PATH: &str = "/encrypt";

/// A server, which ends when this is dropped.
pub(crate) struct Running {
    process: Process,
    pub(crate) addr: SocketAddr,
    /// From the start of the process until the first connection was accepted.
    pub(crate) listening_after: Duration,
    started: Instant,
}

impl Running {
    /// Starts a server on loopback and waits until it accepts connections.
    pub(crate) fn start(server: &Server) -> Result<Self> {
        let mut ended = None;
        for _ in 0..ATTEMPTS {
            let addr = free_address()?;
            let mut command = server.command(addr);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let started = Instant::now();
            let mut process = Process::spawn(&mut command)?;
            ended = loop {
                if TcpStream::connect(addr).is_ok() {
                    let listening_after = started.elapsed();
                    return Ok(Self {
                        process,
                        addr,
                        listening_after,
                        started,
                    });
                }
                if let Some(status) = process.ended()? {
                    break Some(status);
                }
                if started.elapsed() > START_TIMEOUT {
                    bail!("`{}` does not listen after a minute", server.shown());
                }
                sleep(RETRY_INTERVAL);
            };
        }
        let status = ended.context("never started")?;
        bail!(
            "`{}` ended with {status} before it listened; run it by hand to see why",
            server.shown()
        )
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// How long ago the process was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Asks for `message` to be encrypted, fails unless the answer is right, and
    /// returns how many bytes it took.
    pub(crate) fn check(&self, message: &str) -> Result<usize> {
        let answer = http::post(self.addr, PATH, &request_body(message))?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(
            answer.status == 200,
            "the answer was {}: {}",
            answer.status,
            short(&text)
        );
        let found: Encrypted = serde_json::from_slice(&answer.body)
            .with_context(|| format!("the answer was {}", short(&text)))?;
        let expected = encrypted(message);
        ensure!(
            found.result == expected,
            "expected `{}`, the answer was `{}`",
            short(&expected),
            short(&found.result)
        );
        Ok(answer.size_bytes)
    }
}

#[derive(Deserialize)]
struct Encrypted {
    result: String,
}

/// The body of a request; `message` is of letters and spaces only.
pub(crate) fn request_body(message: &str) -> Vec<u8> {
    format!(r#"{{"message": "{message}"}}"#).into_bytes()
}

/// Caesar's cipher, three letters on, for small letters.
fn encrypted(message: &str) -> String {
    let shift = |letter: char| match letter {
        'a'..='w' => char::from(letter as u8 + 3),
        'x'..='z' => char::from(letter as u8 - 23),
        other => other,
    };
    message.chars().map(shift).collect()
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

/// An address on loopback with a port that the system chooses.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_answer_is_the_one_that_people_know() {
        assert_eq!(encrypted("hello world"), "khoor zruog");
        assert_eq!(encrypted("xyz"), "abc");
    }

    #[test]
    fn the_body_is_the_one_of_the_readme() {
        assert_eq!(
            request_body("hello world"),
            br#"{"message": "hello world"}"#
        );
    }
}
