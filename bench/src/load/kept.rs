//! Connections that are kept after their first answer, and say nothing.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result};

use super::http;
use super::job::Job;

/// Connections on each of which one request was answered.
pub(crate) struct Kept {
    addr: SocketAddr,
    job: Job,
    request: Vec<u8>,
    connections: Vec<TcpStream>,
}

impl Kept {
    /// None yet.
    pub(crate) fn new(addr: SocketAddr, job: &Job) -> Self {
        Self {
            addr,
            job: job.clone(),
            request: http::request(addr, job.path(), &job.body()),
            connections: Vec::new(),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.connections.len()
    }

    /// Makes more connections until there are `count` of them, or the server answers
    /// nothing on a new one.
    pub(crate) fn grow_to(&mut self, count: usize) -> Result<()> {
        while self.connections.len() < count {
            let number = self.connections.len() + 1;
            let connection = http::connect(self.addr)
                .and_then(|stream| self.ask(&stream).map(|()| stream))
                .with_context(|| format!("connection {number}"))?;
            self.connections.push(connection);
        }
        Ok(())
    }

    /// Asks once more on each, and fails unless all of them are answered: only then
    /// the server has kept them all the time.
    pub(crate) fn ask_all(&self) -> Result<()> {
        for (index, stream) in self.connections.iter().enumerate() {
            self.ask(stream)
                .with_context(|| format!("connection {}, when it was asked again", index + 1))?;
        }
        Ok(())
    }

    fn ask(&self, mut stream: &TcpStream) -> Result<()> {
        stream.write_all(&self.request)?;
        self.job.judge(&http::receive(stream)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    #[test]
    fn a_connection_that_was_not_kept_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let ends = [(); 2].map(|()| {
                let (stream, _) = listener.accept().unwrap();
                let _ = (&stream).read(&mut [0; 1024]).unwrap();
                (&stream)
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood")
                    .unwrap();
                stream
            });
            ends.into_iter().next().unwrap()
        });
        let mut kept = Kept::new(addr, &Job::good());
        kept.grow_to(2).unwrap();
        let first = server.join().unwrap();
        (&first)
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood")
            .unwrap();
        let error = kept.ask_all().unwrap_err();
        assert_eq!(error.to_string(), "connection 2, when it was asked again");
    }
}
