//! A server to which guests send requests, played by the test.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use crate::DEADLINE;

/// A listener on a free port of loopback. The test answers, one connection after the other.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    connections: Receiver<TcpStream>,
}

/// A connection of a guest. Every wait on it has a deadline.
#[derive(Debug)]
pub struct Arrival {
    stream: TcpStream,
    /// The request line and the fields, as received.
    pub head: String,
}

impl Upstream {
    /// Listens on a free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, connections) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                // It fails when the test is over.
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// Its address as in a URL.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Waits for a connection.
    #[must_use]
    pub fn accept(&self) -> TcpStream {
        let stream = self.connections.recv_timeout(DEADLINE);
        let stream = stream.expect("a guest connects");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket");
        stream
    }

    /// Waits for a request, up to the end of its head.
    #[must_use]
    pub fn receive(&self) -> Arrival {
        let mut stream = self.accept();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.extend(byte);
        }
        let head = String::from_utf8(head).expect("ASCII");
        Arrival { stream, head }
    }

    /// Whether no connection waits to be accepted.
    #[must_use]
    pub fn is_left_alone(&self) -> bool {
        matches!(self.connections.try_recv(), Err(TryRecvError::Empty))
    }
}

impl Arrival {
    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let (_, value) = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Reads until the received bytes end with these.
    pub fn read_until(&mut self, end: &[u8]) {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("more bytes");
            bytes.extend(byte);
        }
    }

    /// Reads until the guest's side closes or resets the connection.
    #[must_use]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => {
                panic!("the connection is not closed: {error}")
            }
            _ => bytes,
        }
    }

    /// Sends everything that arrives back as it comes, until the guest's side closes the
    /// connection. The chunks of a request are those of a response, too.
    pub fn echo(mut self) {
        let mut received = self.stream.try_clone().expect("a socket");
        // It may be reset at the end.
        let _ = io::copy(&mut received, &mut self.stream);
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_write(bytes).expect("a guest that reads");
    }

    /// Sends bytes where the connection may be closed.
    ///
    /// # Errors
    ///
    /// Fails if the connection has been closed.
    pub fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }
}
