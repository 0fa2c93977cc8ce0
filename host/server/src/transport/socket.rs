//! The socket of a connection: TCP, TLS or Unix.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use rustix::event::{self, PollFd, PollFlags, Timespec};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::transport::listener::Accepted;

/// The read buffer that all connections of one worker share.
pub(crate) type ReadBuffer = Rc<RefCell<Box<[u8]>>>;

/// The byte stream of one connection.
pub enum Socket {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// A Unix socket.
    Unix(UnixStream),
}

/// The addresses of a connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectInfo {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) peer: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub(crate) is_tls: bool,
}

/// The address in its IPv4 form, where an IPv6 socket has `::ffff:127.0.0.1`.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The ALPN name of HTTP/2.
pub(crate) const H2: &[u8] = b"h2";

impl Socket {
    /// Registers a connection with the runtime of this thread, and does the TLS handshake if there
    /// is one.
    ///
    /// # Errors
    ///
    /// Fails if the handshake does, or the runtime cannot wait for the socket.
    pub async fn open(accepted: Accepted) -> io::Result<(Self, ConnectInfo)> {
        match accepted {
            Accepted::Tcp(stream, peer, tls) => {
                let stream = TcpStream::from_std(stream)?;
                // Responses are written as a whole, so Nagle's algorithm would only delay them.
                stream.set_nodelay(true)?;
                let info = ConnectInfo {
                    local: stream.local_addr().ok().map(canonical),
                    peer: Some(peer),
                    is_tls: tls.is_some(),
                };
                let socket = match tls {
                    Some(tls) => Self::Tls(Box::new(tls.accept(stream).await?)),
                    None => Self::Tcp(stream),
                };
                Ok((socket, info))
            }
            Accepted::Unix(stream) => {
                let info = ConnectInfo {
                    local: None,
                    peer: None,
                    is_tls: false,
                };
                Ok((Self::Unix(UnixStream::from_std(stream)?), info))
            }
        }
    }

    /// Whether the system may have bytes to read. Those that TLS has decrypted do not count.
    pub(crate) fn is_readable(&self, cx: &mut Context<'_>) -> bool {
        let readable = match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Tls(stream) => stream.get_ref().0.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        };
        readable.is_ready()
    }

    /// Makes the connection break when it is dropped, instead of ending in order. A Unix socket
    /// cannot do that.
    pub(crate) fn reset(&self) {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Unix(_) => return,
        };
        // If this fails, the connection is broken already.
        let _ = stream.set_zero_linger();
    }

    /// Whether the peer has reset the connection, or has closed a Unix socket. Over TCP, a peer
    /// that closes its socket only says that it sends nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.get_ref().0.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        };
        let mut polled = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
        let at_once = Timespec::default();
        let is_known = event::poll(&mut polled, Some(&at_once)).is_ok();
        is_known
            && polled[0]
                .revents()
                .intersects(PollFlags::HUP | PollFlags::ERR)
    }

    /// Whether both ends have negotiated HTTP/2.
    pub(crate) fn has_agreed_on_http2(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(H2),
            Self::Tcp(_) | Self::Unix(_) => false,
        }
    }
}

/// Size up to which several slices are written as one, in bytes: copying them takes less time than
/// a vectored system call.
const MAX_JOINED_BYTES: usize = 2048;

/// Calls a method of the inner stream.
macro_rules! delegate {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {
        match $self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Socket::Tls(stream) => Pin::new(&mut **stream).$method($($argument),*),
            Socket::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        delegate!(self.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        if bytes > MAX_JOINED_BYTES {
            return delegate!(self.poll_write_vectored(cx, slices));
        }
        let mut memory = [MaybeUninit::uninit(); MAX_JOINED_BYTES];
        let mut joined = ReadBuf::uninit(&mut memory);
        for slice in slices {
            joined.put_slice(slice);
        }
        self.poll_write(cx, joined.filled())
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.poll_shutdown(cx))
    }
}
