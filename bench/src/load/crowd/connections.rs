//! The connections of a crowd.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::http::{self, Answer};
use crate::load::job::Job;

/// Connections to one server, one for each request in flight.
pub(super) struct Connections {
    addr: SocketAddr,
    request: Vec<u8>,
    /// Idle connections.
    idle: RefCell<Vec<TcpStream>>,
    open: Cell<usize>,
    peak_open: Cell<usize>,
}

impl Connections {
    /// No connection yet.
    pub(super) fn new(addr: SocketAddr, job: &Job) -> Self {
        Self {
            addr,
            request: http::request(addr, job.path(), &job.body()),
            idle: RefCell::default(),
            open: Cell::new(0),
            peak_open: Cell::new(0),
        }
    }

    /// Number of connections with a request, or being made.
    pub(super) fn busy(&self) -> usize {
        self.open.get() - self.idle.borrow().len()
    }

    /// Peak number of connections.
    pub(super) fn peak_open(&self) -> usize {
        self.peak_open.get()
    }

    #[cfg(test)]
    pub(super) fn close_idle(&self) {
        for stream in self.idle.take() {
            self.close(stream);
        }
    }

    /// Sends a request on an idle connection, or on a new one. Where the server has closed an idle
    /// one, the request is sent again, as by other clients.
    pub(super) async fn exchange(&self) -> io::Result<Answer> {
        loop {
            let idle = self.idle.borrow_mut().pop();
            let is_new = idle.is_none();
            let mut stream = match idle {
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
        self.peak_open
            .set(self.peak_open.get().max(self.open.get()));
        let stream = TcpStream::connect(self.addr).await;
        let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        stream.inspect_err(|_| self.open.set(self.open.get() - 1))
    }

    fn close(&self, stream: TcpStream) {
        drop(stream);
        self.open.set(self.open.get() - 1);
    }
}

/// Reads one answer; none if the connection ends before it.
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
