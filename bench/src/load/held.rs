//! Incomplete requests, whose guests wait for the rest of the body and stay alive.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result};

use super::http;
use super::job::Job;

/// Connections, each with a request that lacks half of its body.
pub(crate) struct Held {
    addr: SocketAddr,
    job: Job,
    /// The start of each request, up to the middle of the body, and the rest.
    start: Vec<u8>,
    rest: Vec<u8>,
    connections: Vec<TcpStream>,
}

impl Held {
    /// No connection yet.
    pub(crate) fn new(addr: SocketAddr, job: &Job) -> Self {
        let mut start = job.request(addr);
        let rest = start.split_off(start.len() - job.body.len().div_ceil(2));
        Self {
            addr,
            job: job.clone(),
            start,
            rest,
            connections: Vec::new(),
        }
    }

    /// Starts more requests until there are `count` of them.
    pub(crate) fn grow_to(&mut self, count: usize) -> Result<()> {
        while self.connections.len() < count {
            let stream = http::connect(self.addr, http::TIMEOUT)?;
            (&stream).write_all(&self.start)?;
            self.connections.push(stream);
        }
        Ok(())
    }

    /// Number of requests that were answered or closed before they were complete.
    pub(crate) fn refused(&self) -> Result<usize> {
        let mut refused = 0;
        for stream in &self.connections {
            stream.set_nonblocking(true)?;
            let found = stream.peek(&mut [0]);
            stream.set_nonblocking(false)?;
            let waits = matches!(found, Err(error) if error.kind() == ErrorKind::WouldBlock);
            refused += usize::from(!waits);
        }
        Ok(refused)
    }

    /// Completes all of them, and fails unless each gets the expected answer.
    pub(crate) fn finish(self) -> Result<()> {
        for mut stream in &self.connections {
            stream.write_all(&self.rest)?;
        }
        for (index, stream) in self.connections.iter().enumerate() {
            let answer = http::receive(stream).and_then(|answer| self.job.judge(&answer));
            answer.with_context(|| format!("held request {}", index + 1))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"result\":\"def\"}";

    /// Two held requests, and the server's ends of their connections.
    fn two() -> (Held, [TcpStream; 2]) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let job = Job::encrypt("abc");
        let mut held = Held::new(listener.local_addr().unwrap(), &job);
        held.grow_to(2).unwrap();
        let ends = [(); 2].map(|()| listener.accept().unwrap().0);
        (held, ends)
    }

    fn read(mut stream: &TcpStream, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        stream.read_exact(&mut read).unwrap();
        read
    }

    #[test]
    fn half_of_the_body_is_sent_at_the_end() {
        let (held, ends) = two();
        let (start, rest) = (held.start.clone(), held.rest.clone());
        assert!(start.ends_with(br#"{"message"#) && rest == br#"": "abc"}"#);
        for end in &ends {
            assert_eq!(read(end, start.len()), start);
        }
        assert_eq!(held.refused().unwrap(), 0);
        for mut end in &ends {
            end.write_all(ANSWER).unwrap();
        }
        held.finish().unwrap();
        for end in &ends {
            assert_eq!(read(end, rest.len()), rest);
        }
    }

    #[test]
    fn an_early_answer_counts_as_refused() {
        let (held, ends) = two();
        (&ends[1]).write_all(ANSWER).unwrap();
        // Until it has arrived.
        held.connections[1].peek(&mut [0]).unwrap();
        assert_eq!(held.refused().unwrap(), 1);
    }

    #[test]
    fn a_wrong_answer_at_the_end_is_an_error() {
        let (held, ends) = two();
        (&ends[0]).write_all(ANSWER).unwrap();
        let wrong = str::from_utf8(ANSWER).unwrap().replace("def", "abc");
        (&ends[1]).write_all(wrong.as_bytes()).unwrap();
        let error = held.finish().unwrap_err();
        assert_eq!(error.to_string(), "held request 2");
    }
}
