//! The stream between the socket and hyper.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http1_strict::{MessageLimits, Progress, RequestLine, StrictReader};
use hyper::rt::{Read, ReadBufCursor, Write};
use telemetry::Rejection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::half_closed::HalfClosed;
use super::linger::Linger;
use crate::connection_state::{ConnectionState, Timeout};
use crate::scheduling::pace::Pace;
use crate::transport::socket::{ReadBuffer, Socket};

/// Passes only valid requests on to hyper.
///
/// In the place of an invalid or late request, hyper reads a substitute, which the handler answers
/// with the rejection. Nothing after it is passed on. So rejections are sent in order with the other
/// responses, and by the same code.
pub(crate) struct StrictStream {
    socket: Socket,
    state: Rc<ConnectionState>,
    reader: StrictReader,
    read_buffer: ReadBuffer,
    /// Bytes that were received and not passed on.
    held: BytesMut,
    turn: Option<Turn>,
    /// Number of bytes of `held` that were accepted.
    accepted_bytes: usize,
    /// Whether the connection ends if no request is on its way.
    is_idle_for_long: bool,
    /// Set when nothing more is passed on.
    end: Option<End>,
    /// Time limit of the response head for a half-closed client.
    half_close_timeout: Duration,
    half_closed: Option<HalfClosed>,
    /// Number of requests that had begun when all responses were last written completely.
    flushed: u64,
    linger: Option<Linger>,
    /// Whether the sending side was shut down.
    has_shut_down: bool,
}

/// Resolves when the next request may be read, with the pace by which it may start.
type Turn = Pin<Box<dyn Future<Output = Rc<Pace>>>>;

/// What hyper reads after the last byte that is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The end of the stream.
    Closed,
    /// An error within a body.
    Broken,
    /// Nothing: the request before is the last one.
    Silence,
    /// Nothing until all requests have their responses, then the end of the stream.
    HalfClosed,
}

impl StrictStream {
    /// A stream over `socket`, from which `begun` was read already.
    pub(crate) fn new(
        socket: Socket,
        begun: BytesMut,
        state: Rc<ConnectionState>,
        read_buffer: ReadBuffer,
        limits: MessageLimits,
        half_close_timeout: Duration,
    ) -> Self {
        let mut stream = Self {
            socket,
            state,
            reader: StrictReader::new(limits),
            read_buffer,
            held: begun,
            turn: None,
            accepted_bytes: 0,
            is_idle_for_long: false,
            end: None,
            half_close_timeout,
            half_closed: None,
            flushed: 0,
            linger: None,
            has_shut_down: false,
        };
        stream.check_held();
        stream
    }

    /// Reads the bytes of `held` that were not accepted yet.
    fn check_held(&mut self) {
        let mut new = self.held.split_off(self.accepted_bytes);
        let (length, accepted, result) = check(&mut self.reader, &mut new);
        new.truncate(length);
        self.held.unsplit(new);
        self.accepted_bytes += accepted;
        self.conclude(result);
    }

    /// Acts on the result of a check.
    fn conclude(&mut self, result: Result<Option<RequestLine>, Rejection>) {
        match result {
            Ok(Some(line)) => {
                let unchecked = self.held.split_off(self.accepted_bytes);
                self.held.extend_from_slice(&line.replace_in(&unchecked));
                return self.check_held();
            }
            Ok(None) => {}
            Err(rejection) => self.reject(rejection),
        }
        let is_between = self.reader.is_between_messages();
        let is_coming = self.held.len() > self.accepted_bytes && is_between;
        self.state.set_head_is_coming(is_coming);
        self.state.set_body_is_coming(!is_between);
    }

    fn reject(&mut self, rejection: Rejection) {
        /// The handler ignores its content.
        const SUBSTITUTE: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

        let is_head = self.held[self.accepted_bytes..].starts_with(b"HEAD ");
        self.held.truncate(self.accepted_bytes);
        if self.reader.is_between_messages() {
            let number = self.reader.heads() + 1;
            self.state.reject(number, rejection);
            if is_head {
                // The response must not have a body.
                self.held.extend_from_slice(b"HEAD");
                self.held.extend_from_slice(&SUBSTITUTE[b"GET".len()..]);
            } else {
                self.held.extend_from_slice(SUBSTITUTE);
            }
            self.accepted_bytes = self.held.len();
            self.end = Some(End::Silence);
        } else {
            self.state.break_body(self.reader.heads(), rejection);
            self.end = Some(End::Broken);
        }
    }

    /// Passes accepted bytes on to hyper, as many as it has room for.
    fn give(&mut self, cursor: &mut ReadBufCursor<'_>) -> bool {
        let count = self.accepted_bytes.min(cursor.remaining());
        cursor.put_slice(&self.held[..count]);
        self.held.advance(count);
        self.accepted_bytes -= count;
        count > 0
    }

    /// Reads the bytes that were received in `read_buffer`.
    fn take(&mut self, read_buffer: &mut [u8], cursor: &mut ReadBufCursor<'_>) {
        if !self.held.is_empty() {
            self.held.extend_from_slice(read_buffer);
            self.check_held();
            return;
        }
        // Usually all bytes are accepted, and none need be kept.
        let (length, accepted, result) = check(&mut self.reader, read_buffer);
        cursor.put_slice(&read_buffer[..accepted]);
        self.held.extend_from_slice(&read_buffer[accepted..length]);
        self.conclude(result);
    }

    /// The client has shut down its sending side. Complete requests still get their responses.
    fn end_of_stream(&mut self) {
        if !self.reader.is_between_messages() || !self.owes_response() {
            self.end = Some(End::Closed);
            return;
        }
        // The beginning of a head that will never be complete.
        self.held.clear();
        self.state.set_head_is_coming(false);
        self.end = Some(End::HalfClosed);
    }

    /// Whether a complete request has no completely written response.
    fn owes_response(&self) -> bool {
        self.state.has_requests() || self.reader.heads() > self.flushed
    }

    /// Waits until the next request may start, before it is read: thousands of connections whose
    /// requests wait cost the worker time only for those that start.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.turn.is_none() {
            let is_between = self.held.is_empty() && self.reader.is_between_messages();
            let may_wait = is_between && !self.state.has_requests();
            let pace = may_wait.then(|| self.state.full_pace()).flatten();
            // Otherwise the client has sent nothing yet.
            let Some(pace) = pace.filter(|_| self.socket.is_readable(cx)) else {
                return Poll::Ready(());
            };
            self.turn = Some(Box::pin(async {
                pace.next().await;
                pace
            }));
        }
        if let Some(turn) = &mut self.turn {
            let pace = ready!(turn.as_mut().poll(cx));
            self.state.set_turn(self.reader.heads() + 1, pace);
            self.turn = None;
        }
        Poll::Ready(())
    }

    /// Waits until all responses are written, or the client is known to have left.
    fn poll_half_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.owes_response() {
            self.end = Some(End::Closed);
            return Poll::Ready(Ok(()));
        }
        let half_closed = self
            .half_closed
            .get_or_insert_with(|| HalfClosed::begin(self.half_close_timeout));
        half_closed.poll(cx, &self.state, &self.socket).map(Err)
    }

    fn expire(&mut self, expired: Timeout) {
        match expired {
            Timeout::Idle => self.is_idle_for_long = true,
            Timeout::Head => self.reject(Rejection::HeadTimeout),
            // The connection is dropped.
            Timeout::Write => {}
        }
    }
}

/// Reads `bytes` strictly. Returns the number of bytes that remain after the discarded ones were
/// removed, the number of accepted bytes, and the rewritten request line with which the others
/// begin, if there is one.
fn check(
    reader: &mut StrictReader,
    bytes: &mut [u8],
) -> (usize, usize, Result<Option<RequestLine>, Rejection>) {
    let mut length = bytes.len();
    let mut accepted = 0;
    while accepted < length {
        match reader.advance(&mut bytes[accepted..length]) {
            Ok(Progress::Accept(count)) => accepted += count,
            Ok(Progress::Discard(count)) => {
                bytes.copy_within(accepted + count..length, accepted);
                length -= count;
            }
            Ok(Progress::Rewrite(line)) => return (length, accepted, Ok(Some(line))),
            Ok(Progress::Incomplete) => break,
            Err(violation) => return (length, accepted, Err(violation.into())),
        }
    }
    (length, accepted, Ok(None))
}

impl Read for StrictStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = &mut *self;
        loop {
            if stream.give(&mut cursor) {
                return Poll::Ready(Ok(()));
            }
            match stream.end {
                Some(End::Closed) => return Poll::Ready(Ok(())),
                Some(End::Broken) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(End::Silence) => return Poll::Pending,
                Some(End::HalfClosed) => return stream.poll_half_closed(cx),
                None => {}
            }
            if let Some(expired) = stream.state.take_timeout() {
                stream.expire(expired);
                continue;
            }
            ready!(stream.poll_turn(cx));
            let read_buffer = stream.read_buffer.clone();
            let mut read_buffer = read_buffer.borrow_mut();
            let room = cursor.remaining();
            let at_once = room.min(read_buffer.len());
            let mut buffer = ReadBuf::new(&mut read_buffer[..at_once]);
            let read = Pin::new(&mut stream.socket).poll_read(cx, &mut buffer);
            let next = stream.reader.heads() + 1;
            if read.is_pending() {
                stream.state.return_turn(next);
            }
            if read.is_pending() && stream.is_idle_for_long {
                stream.end = Some(End::Closed);
                return Poll::Ready(Ok(()));
            }
            match ready!(read) {
                // TLS that ends without saying so. Requests say themselves where they end.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                read => read?,
            }
            stream.is_idle_for_long = false;
            let count = buffer.filled().len();
            if count == 0 {
                stream.end_of_stream();
                continue;
            }
            stream.take(&mut read_buffer[..count], &mut cursor);
            if stream.reader.heads() < next {
                stream.state.return_turn(next);
            }
            if cursor.remaining() < room {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Write for StrictStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.state.set_blocked(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.state.set_blocked(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        // TLS takes more than the client does, and waits for it only here.
        self.state.set_blocked(flushed.is_pending());
        // Where no request is left, hyper has written all that it had before it flushes.
        if flushed.is_ready() && !self.state.has_requests() {
            self.flushed = self.state.begun();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = &mut *self;
        let shut_down = Pin::new(&mut stream.socket).poll_shutdown(cx);
        stream.state.set_blocked(shut_down.is_pending());
        ready!(shut_down)?;
        stream.has_shut_down = true;
        // A client that has more to say would be told that its connection is broken, and
        // might never see the response.
        let has_more = stream.end == Some(End::Silence)
            || stream.end == Some(End::Broken)
            || !stream.held.is_empty()
            || !stream.reader.is_between_messages();
        if !has_more || matches!(stream.end, Some(End::Closed | End::HalfClosed)) {
            return Poll::Ready(Ok(()));
        }
        let linger = stream.linger.get_or_insert_with(Linger::begin);
        linger.poll(cx, &mut stream.socket, &mut stream.read_buffer.borrow_mut())
    }
}

impl Drop for StrictStream {
    /// Where the end of the connection says that a response is whole, one that is not has to
    /// end in another way.
    fn drop(&mut self) {
        if self.state.ends_response() && !self.has_shut_down {
            self.socket.reset();
        }
    }
}

#[cfg(test)]
mod tests;
