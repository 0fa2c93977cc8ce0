//! Addresses, and the sockets that listen on them.

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{Mode, fchmod};
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket};
use tokio_rustls::TlsAcceptor;

use crate::transport::socket::canonical;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Its mode, which decides who may connect.
        mode: u32,
    },
}

/// The default mode: only the user of the server may connect.
const DEFAULT_MODE: u32 = 0o600;

impl Address {
    /// The URL of this address, where it has one.
    #[must_use]
    pub fn url(&self, is_tls: bool) -> String {
        match self {
            Self::Tcp(addr) if is_tls => format!("https://{addr}"),
            Self::Tcp(addr) => format!("http://{addr}"),
            Self::Unix { .. } => self.to_string(),
        }
    }

    /// Whether this is an IPv6 address.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.is_ipv6())
    }

    /// The address of `bound` that conflicts with this one: an IPv6 wildcard takes the IPv4 port as
    /// well.
    #[must_use]
    pub fn conflict<'a>(&self, bound: &'a [Self]) -> Option<&'a Self> {
        let is_any_v6 = |address: &SocketAddr| address.is_ipv6() && address.ip().is_unspecified();
        let Self::Tcp(this) = self else { return None };
        bound.iter().find(|other| match other {
            Self::Tcp(other) => {
                this.port() == other.port()
                    && (is_any_v6(this) && other.is_ipv4() || is_any_v6(other) && this.is_ipv4())
            }
            Self::Unix { .. } => false,
        })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:").map(path_and_mode) {
            Some(Ok(("", _))) => Err("the path after `unix:` is empty".to_owned()),
            Some(Ok((path, mode))) => Ok(Self::Unix {
                path: path.into(),
                mode,
            }),
            Some(Err(error)) => Err(error),
            None => text.parse().map(Self::Tcp).map_err(|_| {
                "expected IP:PORT, such as 127.0.0.1:8080 or [::1]:8080, or unix:PATH".to_owned()
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `PATH` or `PATH,mode=0660`.
fn path_and_mode(text: &str) -> Result<(&str, u32), String> {
    let Some((path, mode)) = text.rsplit_once(",mode=") else {
        return Ok((text, DEFAULT_MODE));
    };
    let is_octal =
        (3..=4).contains(&mode.len()) && mode.bytes().all(|digit| digit.is_ascii_digit());
    match u32::from_str_radix(mode, 8) {
        Ok(bits) if is_octal && bits <= 0o777 => Ok((path, bits)),
        _ => Err(format!(
            "`{mode}` is not the mode of a socket; expected octal digits, such as 0660"
        )),
    }
}

/// A listening socket.
pub struct Listener {
    pub(crate) socket: ListeningSocket,
    address: Address,
}

pub(crate) enum ListeningSocket {
    Tcp(TcpListener, Option<TlsAcceptor>),
    Unix(UnixListener),
}

/// An accepted connection that is not on its worker yet.
pub enum Accepted {
    /// Over TCP, with its peer, and TLS where the listener has it.
    Tcp(std::net::TcpStream, SocketAddr, Option<TlsAcceptor>),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl Accepted {
    /// The address of the peer, if it has one.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, peer, _) => Some(*peer),
            Self::Unix(_) => None,
        }
    }

    /// Responds that too many connections are open, without reading the request or waiting for the
    /// client.
    pub(crate) fn reject(self) {
        const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
            content-type: application/problem+json\r\n\
            retry-after: 1\r\n\
            connection: close\r\n\
            content-length: 106\r\n\r\n\
            {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
            \"detail\":\"too many connections are open\"}";

        let mut stream: Box<dyn Write> = match self {
            Self::Tcp(stream, _, None) => Box::new(stream),
            Self::Unix(stream) => Box::new(stream),
            // Without a handshake no response is possible.
            Self::Tcp(_, _, Some(_)) => return,
        };
        let _ = stream.write(TOO_MANY);
    }
}

impl Listener {
    /// Listens on `address`, with TLS if it is a TCP address and `tls` is given.
    ///
    /// A Unix socket on which no process listens any more is replaced. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the address is in use, or is not an address of this machine.
    pub fn bind(address: &Address, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let (socket, address) = match address {
            Address::Tcp(addr) => {
                let listener = listen_tcp(*addr)?;
                let address = Address::Tcp(listener.local_addr()?);
                (ListeningSocket::Tcp(listener, tls), address)
            }
            Address::Unix { path, mode } => {
                remove_stale(path)?;
                let listener = listen_unix(path, *mode)?;
                (ListeningSocket::Unix(listener), address.clone())
            }
        };
        Ok(Self { socket, address })
    }

    /// A listener on a bound TCP socket.
    ///
    /// # Errors
    ///
    /// Fails if the socket has no address.
    pub fn tcp(listener: TcpListener, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let address = Address::Tcp(listener.local_addr()?);
        Ok(Self {
            socket: ListeningSocket::Tcp(listener, tls),
            address,
        })
    }

    /// The URL of this listener, with the port that the system has chosen.
    #[must_use]
    pub fn url(&self) -> String {
        self.address
            .url(matches!(self.socket, ListeningSocket::Tcp(_, Some(_))))
    }

    /// Whether clients connect over TCP.
    #[must_use]
    pub fn is_tcp(&self) -> bool {
        matches!(self.address, Address::Tcp(_))
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Fails if the system call does, such as with `EMFILE`.
    pub async fn accept(&self) -> io::Result<Accepted> {
        match &self.socket {
            ListeningSocket::Tcp(listener, tls) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Accepted::Tcp(
                    stream.into_std()?,
                    canonical(peer),
                    tls.clone(),
                ))
            }
            ListeningSocket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted::Unix(stream.into_std()?))
            }
        }
    }
}

impl Drop for Listener {
    /// Removes the file of a Unix socket.
    fn drop(&mut self) {
        if let Address::Unix { path, .. } = &self.address {
            let _ = fs::remove_file(path);
        }
    }
}

/// Number of connections that may wait to be accepted. The system drops further ones, and their
/// clients retry after a second. Linux allows 4096 by default (listen(2)).
const BACKLOG: u32 = 4096;

fn listen_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Connections of a previous server may still be in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

fn listen_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    // On Linux the file is made with the mode of the socket less the umask, so that no other
    // user can connect before its mode is right.
    let _ = fchmod(&socket, Mode::from_raw_mode(mode));
    socket.bind(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => io::Error::other(
            "the path is too long for a socket, which has at most 107 bytes (103 on macOS)",
        ),
        _ => error,
    })?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)
}

/// Removes the socket of a server that ended without doing so itself.
///
/// # Errors
///
/// Fails if the file is not a socket.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other(
            "there is a file of this name that is not a socket; remove it, or name another path",
        ));
    }
    // A socket to which this user may not connect can have a server.
    let error = UnixStream::connect(path).err();
    if error.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_of_ipv6_is_in_conflict_with_ipv4_at_the_same_port() {
        let parse = |text: &str| text.parse::<Address>().unwrap();
        for (one, other, expected) in [
            ("[::]:80", "0.0.0.0:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::]:80", "0.0.0.0:81", false),
            ("[::1]:80", "127.0.0.1:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", false),
            ("[::]:80", "unix:a", false),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                let bound = [parse("[::]:9"), parse(other)];
                let found = parse(one).conflict(&bound);
                assert_eq!(found, expected.then_some(&bound[1]), "{one} {other}");
            }
        }
    }

    #[test]
    fn a_unix_socket_has_mode_0600_unless_the_address_names_another() {
        let parse = |text: &str| text.parse::<Address>();
        for (text, path, mode) in [
            ("unix:a/b", "a/b", 0o600),
            ("unix:/run/a,mode=0660", "/run/a", 0o660),
            ("unix:a,b=c,mode=666", "a,b=c", 0o666),
        ] {
            let path = path.into();
            assert_eq!(parse(text), Ok(Address::Unix { path, mode }), "{text}");
        }
        for bad in [
            "unix:",
            "unix:,mode=0660",
            "unix:a,mode=",
            "unix:a,mode=9999",
            "unix:a,mode=02660",
            "unix:a,mode=1777",
            "unix:a,mode=+66",
            "unix:a,mode=rw",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_used_socket_and_a_file_that_is_not_a_socket_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "kept").unwrap();
        let error = remove_stale(&path).unwrap_err().to_string();
        assert!(error.contains("not a socket"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"kept");

        let path = folder.path().join("socket");
        let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
        remove_stale(&path).unwrap();
        assert!(path.exists());
        drop(server);
        remove_stale(&path).unwrap();
        assert!(!path.exists());
        remove_stale(&path).unwrap();
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_for_a_unix_socket_is_an_error() {
        let path = PathBuf::from(format!("/tmp/{}", "x".repeat(120)));
        let error = listen_unix(&path, 0o600).unwrap_err().to_string();
        assert!(error.contains("107 bytes"), "{error}");
    }
}
