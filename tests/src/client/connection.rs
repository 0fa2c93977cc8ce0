//! A connection.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Request, Response};
use crate::DEADLINE;

/// A connection to a server. Every wait on it has a deadline.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    stream: BufReader<S>,
}

impl Connection {
    /// Connects.
    #[must_use]
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// Whether the server has closed the connection, without waiting.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).expect("a socket");
        let found = stream.peek(&mut [0]);
        stream.set_nonblocking(false).expect("a socket");
        match found {
            Ok(count) => count == 0,
            Err(error) => is_end(&error),
        }
    }

    /// Connects, where that may fail.
    ///
    /// # Errors
    ///
    /// Fails if no server listens.
    pub fn try_open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        // Each write is a packet, so that tests control what arrives together.
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// Shuts down the sending side.
    ///
    /// # Errors
    ///
    /// Fails if the server has closed the connection.
    pub fn end(&mut self) -> io::Result<()> {
        self.stream.get_mut().shutdown(Shutdown::Write)
    }

    /// Sets the timeout of every wait.
    pub fn set_deadline(&mut self, deadline: Duration) {
        let stream = self.stream.get_mut();
        stream
            .set_read_timeout(Some(deadline))
            .and_then(|()| stream.set_write_timeout(Some(deadline)))
            .expect("a timeout above 0");
    }
}

impl Connection<UnixStream> {
    /// Connects to a Unix socket.
    #[must_use]
    pub fn open_unix(path: &Path) -> Self {
        let open = || {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            stream.set_write_timeout(Some(DEADLINE))?;
            Ok::<_, io::Error>(Self::over(stream))
        };
        open().unwrap_or_else(|error| panic!("cannot connect to `{}`: {error}", path.display()))
    }
}

impl<S: Read + Write> Connection<S> {
    /// A connection over any stream.
    pub fn over(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("the server takes the bytes");
    }

    /// Sends bytes where the server may have closed the connection.
    ///
    /// # Errors
    ///
    /// Fails if the server has closed the connection.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a request and receives the complete response.
    #[must_use]
    pub fn exchange(&mut self, request: &Request) -> Response {
        self.write(&request.bytes());
        let response = self.receive_for(request.method());
        assert!(response.is_complete, "{response:?}");
        response
    }

    /// Receives a response to any method but HEAD, complete or not.
    #[must_use]
    pub fn receive(&mut self) -> Response {
        self.receive_for("GET")
    }

    /// Receives the response to a request with this method.
    #[must_use]
    pub fn receive_for(&mut self, method: &str) -> Response {
        self.try_receive_for(method)
            .unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Receives up to the first `end`, and returns all of it: of a response whose rest is sent later.
    #[must_use]
    pub fn receive_until(&mut self, end: &str) -> String {
        let mut received = Vec::new();
        while !received.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let read = self.stream.read_exact(&mut byte);
            read.unwrap_or_else(|error| {
                let received = String::from_utf8_lossy(&received);
                panic!(
                    "missing `{}` after `{received}`: {error}",
                    end.escape_debug()
                )
            });
            received.extend(byte);
        }
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Receives a response to any method but HEAD; none if the server closes the connection before.
    #[must_use]
    pub fn receive_if_any(&mut self) -> Option<Response> {
        match self.try_receive_for("GET") {
            Ok(response) => Some(response),
            Err(error) if is_end(&error) => None,
            Err(error) => panic!("neither a response nor a close: {error}"),
        }
    }

    /// Whether the server closes the connection without sending anything.
    #[must_use]
    pub fn is_closed_by_server(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => is_end(&error),
        }
    }

    /// The bytes that the server sends until it closes the connection.
    ///
    /// # Errors
    ///
    /// Fails if it does not close it in time.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => Ok(rest),
            Err(error) if is_end(&error) => Ok(rest),
            Err(error) => Err(error),
        }
    }

    /// Receives the response to a request with this method, complete or not, where that may fail.
    ///
    /// # Errors
    ///
    /// Fails if the server closes the connection within the head, sends something else, or after
    /// the deadline.
    pub fn try_receive_for(&mut self, method: &str) -> io::Result<Response> {
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| invalid(format!("no status in `{line}`")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
            is_complete: true,
        };
        let has_body = method != "HEAD" && status >= 200 && status != 204 && status != 304;
        if has_body {
            response.is_complete = match self.read_body(&mut response) {
                Ok(()) => true,
                Err(error) if is_end(&error) => false,
                Err(error) => return Err(error),
            };
        }
        Ok(response)
    }

    /// Reads the body; fails if it is incomplete.
    fn read_body(&mut self, response: &mut Response) -> io::Result<()> {
        if response.header("transfer-encoding") == Some("chunked") {
            return self.read_chunks(&mut response.body);
        }
        match response.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(invalid)?;
                self.read_exactly(length, &mut response.body)
            }
            None => self.stream.read_to_end(&mut response.body).map(drop),
        }
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.read_line()?;
            let size = usize::from_str_radix(&line, 16).map_err(invalid)?;
            self.read_exactly(size, body)?;
            self.read_line()?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn read_exactly(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
        let read = (&mut self.stream).take(length as u64).read_to_end(body)?;
        if read < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The server sent invalid HTTP.
fn invalid(why: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Whether the server has closed the connection, as opposed to a timeout.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
