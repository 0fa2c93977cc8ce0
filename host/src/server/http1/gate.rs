//! The stream between the socket and hyper.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Framing, Progress};
use super::half_closed::HalfClosed;
use super::head::MessageLimits;
use super::linger::Linger;
use super::target::NewLine;
use crate::server::Refusal;
use crate::server::conversation::{Conversation, Expired};
use crate::server::socket::Socket;

/// Where the connections of one thread read into, each in its turn.
pub(in crate::server) type Scratch = Rc<RefCell<Box<[u8]>>>;

/// Lets requests through to hyper that are what they should be.
///
/// A request that is not, or that does not come in time, becomes another one in its
/// place, for which the service has an answer ready; nothing after it is let through. So
/// refusals are answered like everything else: in their turn, and in one way.
pub(in crate::server) struct Gate {
    socket: Socket,
    conversation: Rc<Conversation>,
    framing: Framing,
    scratch: Scratch,
    /// What has come and is not yet with hyper.
    held: BytesMut,
    /// How many bytes of it may pass.
    passable: usize,
    /// Whether the connection ends if no request is on its way.
    is_idle_for_long: bool,
    /// Set when nothing more is let through.
    end: Option<End>,
    /// The time that a guest has to begin its response to a half-closed client.
    half_close_timeout: Duration,
    half_closed: Option<HalfClosed>,
    /// How many requests had begun when all responses had been written to the last byte.
    flushed: u64,
    linger: Option<Linger>,
    /// Whether the client was told that nothing more comes.
    has_shut_down: bool,
}

/// What hyper sees after the last byte that is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The end of the stream.
    Closed,
    /// An error in the middle of a body.
    Broken,
    /// Nothing at all, because it has a request that is the last one.
    Silence,
    /// Nothing until its requests are answered, then the end of the stream.
    HalfClosed,
}

impl Gate {
    /// The bytes in `begun` have been read from `socket` already.
    pub(in crate::server) fn new(
        socket: Socket,
        begun: BytesMut,
        conversation: Rc<Conversation>,
        scratch: Scratch,
        limits: MessageLimits,
        half_close_timeout: Duration,
    ) -> Self {
        let mut gate = Self {
            socket,
            conversation,
            framing: Framing::new(limits),
            scratch,
            held: begun,
            passable: 0,
            is_idle_for_long: false,
            end: None,
            half_close_timeout,
            half_closed: None,
            flushed: 0,
            linger: None,
            has_shut_down: false,
        };
        gate.check_held();
        gate
    }

    /// Looks how much more of what is held may pass.
    fn check_held(&mut self) {
        let mut new = self.held.split_off(self.passable);
        let (length, passing, result) = check(&mut self.framing, &mut new);
        new.truncate(length);
        self.held.unsplit(new);
        self.passable += passing;
        self.conclude(result);
    }

    /// Acts on what came out of a check.
    fn conclude(&mut self, result: Result<Option<NewLine>, Refusal>) {
        match result {
            Ok(Some(line)) => {
                let unchecked = self.held.split_off(self.passable);
                self.held.extend_from_slice(&line.replace_in(&unchecked));
                return self.check_held();
            }
            Ok(None) => {}
            Err(refusal) => self.refuse(refusal),
        }
        let is_coming = self.held.len() > self.passable && self.framing.is_between_messages();
        self.conversation.set_head_is_coming(is_coming);
    }

    fn refuse(&mut self, refusal: Refusal) {
        /// Any request will do: nobody looks at it.
        const IN_ITS_PLACE: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

        let is_head = self.held[self.passable..].starts_with(b"HEAD ");
        self.held.truncate(self.passable);
        if self.framing.is_between_messages() {
            let number = self.framing.heads + 1;
            self.conversation.refuse(number, refusal);
            if is_head {
                // Its client expects no body.
                self.held.extend_from_slice(b"HEAD");
                self.held.extend_from_slice(&IN_ITS_PLACE[b"GET".len()..]);
            } else {
                self.held.extend_from_slice(IN_ITS_PLACE);
            }
            self.passable = self.held.len();
            self.end = Some(End::Silence);
        } else {
            self.conversation.break_body(self.framing.heads, refusal);
            self.end = Some(End::Broken);
        }
    }

    /// Gives hyper as much as it takes of what may pass.
    fn give(&mut self, cursor: &mut ReadBufCursor<'_>) -> bool {
        let count = self.passable.min(cursor.remaining());
        cursor.put_slice(&self.held[..count]);
        self.held.advance(count);
        self.passable -= count;
        count > 0
    }

    /// Takes what was read into `scratch`.
    fn take(&mut self, scratch: &mut [u8], cursor: &mut ReadBufCursor<'_>) {
        if !self.held.is_empty() {
            self.held.extend_from_slice(scratch);
            self.check_held();
            return;
        }
        // Usually all of it passes, and need not be kept.
        let (length, passing, result) = check(&mut self.framing, scratch);
        cursor.put_slice(&scratch[..passing]);
        self.held.extend_from_slice(&scratch[passing..length]);
        self.conclude(result);
    }

    /// The client sends nothing more. What has come as a whole is still answered.
    fn end_of_stream(&mut self) {
        if !self.framing.is_between_messages() || !self.owes_response() {
            self.end = Some(End::Closed);
            return;
        }
        // A part of another head, which will never be whole.
        self.held.clear();
        self.conversation.set_head_is_coming(false);
        self.end = Some(End::HalfClosed);
    }

    /// Whether a request has come as a whole of which the response is not written to its end.
    fn owes_response(&self) -> bool {
        self.conversation.has_requests() || self.framing.heads > self.flushed
    }

    /// Waits until the client has its responses, or is known to have left.
    fn poll_half_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.owes_response() {
            self.end = Some(End::Closed);
            return Poll::Ready(Ok(()));
        }
        let half_closed = self
            .half_closed
            .get_or_insert_with(|| HalfClosed::begin(self.half_close_timeout));
        half_closed
            .poll(cx, &self.conversation, &self.socket)
            .map(Err)
    }

    fn expire(&mut self, expired: Expired) {
        match expired {
            Expired::Idle => self.is_idle_for_long = true,
            Expired::Head => self.refuse(Refusal::HeadTimeout),
            // The connection is dropped for this.
            Expired::Write => {}
        }
    }
}

/// Looks how much of `bytes` may pass. Returns how many are left after some that belong to
/// nothing were taken out, how many of these may pass, and whether those after them begin with
/// a line that has to be replaced.
fn check(
    framing: &mut Framing,
    bytes: &mut [u8],
) -> (usize, usize, Result<Option<NewLine>, Refusal>) {
    let mut length = bytes.len();
    let mut passing = 0;
    while passing < length {
        match framing.advance(&mut bytes[passing..length]) {
            Ok(Progress::Passes(count)) => passing += count,
            Ok(Progress::Skipped(count)) => {
                bytes.copy_within(passing + count..length, passing);
                length -= count;
            }
            Ok(Progress::Replaced(line)) => return (length, passing, Ok(Some(line))),
            Ok(Progress::Incomplete) => break,
            Err(refusal) => return (length, passing, Err(refusal)),
        }
    }
    (length, passing, Ok(None))
}

impl Read for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = &mut *self;
        loop {
            if gate.give(&mut cursor) {
                return Poll::Ready(Ok(()));
            }
            match gate.end {
                Some(End::Closed) => return Poll::Ready(Ok(())),
                Some(End::Broken) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(End::Silence) => return Poll::Pending,
                Some(End::HalfClosed) => return gate.poll_half_closed(cx),
                None => {}
            }
            if let Some(expired) = gate.conversation.take_expired() {
                gate.expire(expired);
                continue;
            }
            let scratch = gate.scratch.clone();
            let mut scratch = scratch.borrow_mut();
            let room = cursor.remaining();
            let at_once = room.min(scratch.len());
            let mut buffer = ReadBuf::new(&mut scratch[..at_once]);
            let read = Pin::new(&mut gate.socket).poll_read(cx, &mut buffer);
            if read.is_pending() && gate.is_idle_for_long {
                gate.end = Some(End::Closed);
                return Poll::Ready(Ok(()));
            }
            match ready!(read) {
                // TLS that ends without saying so. Requests say themselves where they end.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                read => read?,
            }
            gate.is_idle_for_long = false;
            let count = buffer.filled().len();
            if count == 0 {
                gate.end_of_stream();
                continue;
            }
            gate.take(&mut scratch[..count], &mut cursor);
            if cursor.remaining() < room {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Write for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.conversation.set_blocked(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.conversation.set_blocked(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        // TLS takes more than the client does, and waits for it only here.
        self.conversation.set_blocked(flushed.is_pending());
        // Where no request is left, hyper has written all that it had before it flushes.
        if flushed.is_ready() && !self.conversation.has_requests() {
            self.flushed = self.conversation.begun();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = &mut *self;
        let shut_down = Pin::new(&mut gate.socket).poll_shutdown(cx);
        gate.conversation.set_blocked(shut_down.is_pending());
        ready!(shut_down)?;
        gate.has_shut_down = true;
        // A client that has more to say would be told that its connection is broken, and
        // might never see the response.
        let has_more = gate.end == Some(End::Silence)
            || gate.end == Some(End::Broken)
            || !gate.held.is_empty()
            || !gate.framing.is_between_messages();
        if !has_more || matches!(gate.end, Some(End::Closed | End::HalfClosed)) {
            return Poll::Ready(Ok(()));
        }
        let linger = gate.linger.get_or_insert_with(Linger::begin);
        linger.poll(cx, &mut gate.socket, &mut gate.scratch.borrow_mut())
    }
}

impl Drop for Gate {
    /// Where the end of the connection says that a response is whole, one that is not has to
    /// end in another way.
    fn drop(&mut self) {
        if self.conversation.ends_response() && !self.has_shut_down {
            self.socket.reset();
        }
    }
}
