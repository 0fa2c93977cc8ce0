//! The connections on which many requests are sent.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::http::{self, Answer};
use crate::load::job::Job;

/// Connections to one server, as many as there are requests at a time.
pub(super) struct Connections {
    addr: SocketAddr,
    request: Vec<u8>,
    /// Those that wait for a request.
    idle: RefCell<Vec<TcpStream>>,
    open: Cell<usize>,
    most_open: Cell<usize>,
}

impl Connections {
    /// None yet.
    pub(super) fn new(addr: SocketAddr, job: &Job) -> Self {
        Self {
            addr,
            request: http::request(addr, job.path(), &job.body()),
            idle: RefCell::default(),
            open: Cell::new(0),
            most_open: Cell::new(0),
        }
    }

    /// How many have a request, or are being made.
    pub(super) fn busy(&self) -> usize {
        self.open.get() - self.idle.borrow().len()
    }

    /// How many there were at once.
    pub(super) fn most_open(&self) -> usize {
        self.most_open.get()
    }

    #[cfg(test)]
    pub(super) fn close_idle(&self) {
        for stream in self.idle.take() {
            self.close(stream);
        }
    }

    /// Sends a request on a connection that is there, or on a new one. Where the
    /// server has closed one that waited, it is sent again, as all clients do.
    pub(super) async fn exchange(&self) -> io::Result<Answer> {
        loop {
            let waiting = self.idle.borrow_mut().pop();
            let is_new = waiting.is_none();
            let mut stream = match waiting {
                Some(stream) => stream,
                None => self.connect().await?,
            };
            let answer = match stream.write_all(&self.request).await {
                Ok(()) => receive(&mut stream).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(Some(answer)) => {
                    if answer.header("connection") == Some("close") {
                        self.close(stream);
                    } else {
                        self.idle.borrow_mut().push(stream);
                    }
                    return Ok(answer);
                }
                Ok(None) if is_new => {
                    self.close(stream);
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Err(error) if is_new => {
                    self.close(stream);
                    return Err(error);
                }
                Ok(None) | Err(_) => self.close(stream),
            }
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        self.open.set(self.open.get() + 1);
        self.most_open
            .set(self.most_open.get().max(self.open.get()));
        let stream = TcpStream::connect(self.addr).await;
        let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        stream.inspect_err(|_| self.open.set(self.open.get() - 1))
    }

    fn close(&self, stream: TcpStream) {
        drop(stream);
        self.open.set(self.open.get() - 1);
    }
}

/// Reads one answer, or nothing if the connection ends before it.
async fn receive(stream: &mut TcpStream) -> io::Result<Option<Answer>> {
    let mut received = Vec::with_capacity(1024);
    loop {
        let read = stream.read_buf(&mut received).await?;
        if let Some(answer) = http::parse(&received).map_err(io::Error::other)? {
            return Ok(Some(answer));
        }
        if read == 0 {
            return if received.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
    }
}
