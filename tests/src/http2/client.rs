//! One connection of HTTP/2.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use loona_hpack::Decoder;

use super::{ACK, END_STREAM, Frame, PADDED, code_name};
use crate::client::Response;

/// A client that sends the frames of the test, and answers only SETTINGS.
pub struct Client {
    stream: TcpStream,
    decoder: Decoder<'static>,
    /// Incomplete responses by stream.
    responses: BTreeMap<u32, Response>,
}

/// An action of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It sent the head of an informational response (1xx) with this status on this stream.
    Informational(u32, u16),
    /// It sent a complete response on this stream.
    Response(u32, Response),
    /// It reset this stream, with the code of this name.
    Reset(u32, String),
    /// It sent GOAWAY with the code of this name.
    GoAway(String),
    /// It answered a PING with this payload.
    Pong(Vec<u8>),
    /// It closed the connection.
    Ended,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut client = f.debug_struct("Client");
        client.field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects; `deadline` is the timeout of every wait.
    ///
    /// # Errors
    ///
    /// Fails if no server listens.
    pub fn open(address: SocketAddr, deadline: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, deadline)?;
        stream.set_read_timeout(Some(deadline))?;
        stream.set_write_timeout(Some(deadline))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            decoder: Decoder::default(),
            responses: BTreeMap::new(),
        })
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// Fails if the server has closed the connection, or after the deadline.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Shuts down the sending side.
    ///
    /// # Errors
    ///
    /// Fails if the server has closed the connection.
    pub fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Waits for the next action of the server.
    ///
    /// # Errors
    ///
    /// Fails after the deadline, or if the server sends invalid HTTP/2.
    pub fn event(&mut self) -> io::Result<Event> {
        loop {
            let Some(frame) = self.frame()? else {
                return Ok(Event::Ended);
            };
            if let Some(event) = self.take(&frame)? {
                return Ok(event);
            }
        }
    }

    /// The next frame; none if the server closes the connection.
    fn frame(&mut self) -> io::Result<Option<Frame>> {
        let mut head = [0; 9];
        if !self.read(&mut head)? {
            return Ok(None);
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if !self.read(&mut payload)? {
            return Ok(None);
        }
        let [.., a, b, c, d] = head;
        Ok(Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([a, b, c, d]),
            payload,
            length: None,
        }))
    }

    /// Fills `bytes`, unless the connection is closed before.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<bool> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Ok(true),
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn take(&mut self, frame: &Frame) -> io::Result<Option<Event>> {
        let code = |at: usize| {
            let code = frame
                .payload
                .get(at..at + 4)
                .and_then(|code| code.try_into().ok());
            code.map(u32::from_be_bytes)
                .map(code_name)
                .ok_or_else(invalid)
        };
        if frame.is("SETTINGS") && frame.flags & ACK == 0 {
            // The server may have closed the connection.
            let _ = self.send(&Frame::new("SETTINGS", ACK, 0, []).bytes());
        } else if frame.is("PING") && frame.flags & ACK != 0 {
            return Ok(Some(Event::Pong(frame.payload.clone())));
        } else if frame.is("RST_STREAM") {
            return Ok(Some(Event::Reset(frame.stream, code(0)?)));
        } else if frame.is("GOAWAY") {
            return Ok(Some(Event::GoAway(code(4)?)));
        } else if frame.is("HEADERS") {
            // The fields of all responses in these tests fit into one frame.
            if let Some(event) = self.take_headers(frame)? {
                return Ok(Some(event));
            }
        } else if frame.is("DATA") {
            let response = self.responses.get_mut(&frame.stream).ok_or_else(invalid)?;
            response.body.extend(&frame.payload);
        }
        let is_whole = (frame.is("HEADERS") || frame.is("DATA")) && frame.flags & END_STREAM != 0;
        let whole = is_whole
            .then(|| self.responses.remove(&frame.stream))
            .flatten();
        Ok(whole.map(|response| Event::Response(frame.stream, response)))
    }

    fn take_headers(&mut self, frame: &Frame) -> io::Result<Option<Event>> {
        if frame.flags & PADDED != 0 {
            return Err(invalid());
        }
        let fields = self.decoder.decode(&frame.payload);
        let fields = fields.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let mut headers: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
        let status = headers.iter().position(|(name, _)| name == ":status");
        let Some(at) = status else {
            // Trailers, which are shown with the fields of the head.
            let response = self.responses.get_mut(&frame.stream).ok_or_else(invalid)?;
            response.headers.append(&mut headers);
            return Ok(None);
        };
        let status = headers.remove(at).1.parse().map_err(|_| invalid())?;
        if (100..200).contains(&status) {
            return Ok(Some(Event::Informational(frame.stream, status)));
        }
        let response = Response {
            status,
            headers,
            body: Vec::new(),
            is_complete: true,
        };
        self.responses.insert(frame.stream, response);
        Ok(None)
    }
}

/// The server sent invalid HTTP/2.
fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
