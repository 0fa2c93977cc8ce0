//! Requests on one connection, one after the other, each of them timed.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result};

use super::http::{connect, receive, request};
use super::job::Job;

/// An open connection for timed requests.
pub(crate) struct Timed {
    addr: SocketAddr,
    stream: TcpStream,
}

impl Timed {
    /// Connects.
    pub(crate) fn connect(addr: SocketAddr) -> Result<Self> {
        let stream = connect(addr)?;
        Ok(Self { addr, stream })
    }

    /// Sends one request, and fails unless the answer is the expected one. Returns the time until
    /// the answer was complete, in microseconds.
    pub(crate) fn send(&self, job: &Job) -> Result<f64> {
        let request = request(self.addr, job.path(), &job.body());
        let begin = Instant::now();
        (&self.stream).write_all(&request)?;
        let answer = receive(&self.stream).with_context(|| job.path().to_owned())?;
        let took = begin.elapsed();
        job.judge(&answer).with_context(|| job.path().to_owned())?;
        Ok(took.as_secs_f64() * 1e6)
    }
}
