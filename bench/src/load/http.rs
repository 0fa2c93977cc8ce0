//! A client for one request at a time, and the messages of HTTP/1.1 for all load generators.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Read and write timeout.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Size of a request that the kernel buffers in any case.
const BUFFERED_BYTES: usize = 64 << 10;

/// An answer with its body.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The lines of the head after the first one.
    head: String,
    pub(crate) body: Vec<u8>,
    /// Size of head and body as they were sent.
    pub(crate) size_bytes: usize,
}

impl Answer {
    /// The value of a header, by its name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

/// A client that sends one request after the other, on one connection while the server keeps it.
pub(crate) struct Client {
    addr: SocketAddr,
    timeout: Duration,
    stream: Option<TcpStream>,
}

impl Client {
    /// A client without a connection.
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            timeout: TIMEOUT,
            stream: None,
        }
    }

    /// The same with another timeout of each read.
    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        // Zero is not a valid timeout.
        let timeout = timeout.max(Duration::from_millis(1));
        Self { timeout, ..self }
    }

    /// Sends a request and waits for the whole answer. The connection is kept after a good one.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Answer> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.addr, self.timeout)?,
        };
        let answer = if request.len() <= BUFFERED_BYTES {
            (&stream).write_all(request)?;
            receive(&stream)?
        } else {
            exchange(&stream, request)?
        };
        if answer.status == 200 && answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// Sends a large request while the answer arrives: a server that streams its answer stops reading
/// while its answer is not read.
fn exchange(mut stream: &TcpStream, request: &[u8]) -> Result<Answer> {
    thread::scope(|scope| {
        let sent = scope.spawn(move || stream.write_all(request));
        let answer = receive(stream);
        if answer.is_err() {
            // Otherwise the other thread waits for the server.
            let _ = stream.shutdown(Shutdown::Both);
            return answer;
        }
        sent.join().expect("writing does not panic")?;
        answer
    })
}

/// A connection with timeouts.
pub(super) fn connect(addr: SocketAddr, timeout: Duration) -> Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Head and body of a request, with a bearer token if there is one.
pub(super) fn request(addr: SocketAddr, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n\
         {}content-length: {}\r\n\r\n",
        token.unwrap_or_default(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Reads one answer to its end.
pub(super) fn receive(mut stream: &TcpStream) -> Result<Answer> {
    let mut received = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        if let Some(answer) = parse(&received)? {
            return Ok(answer);
        }
        let count = stream.read(&mut buffer).context("no complete answer")?;
        ensure!(count > 0, "the connection ended within the answer");
        received.extend_from_slice(&buffer[..count]);
    }
}

/// Parses an answer, with its size on the wire; `None` while it is incomplete.
pub(super) fn parse(received: &[u8]) -> Result<Option<Answer>> {
    let Some((head, rest)) = split(received, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = str::from_utf8(head).context("the head is not UTF-8")?;
    let (first, head) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first.split(' ').nth(1).and_then(|text| text.parse().ok());
    let status = status.with_context(|| format!("expected a status, found `{first}`"))?;
    let mut answer = Answer {
        status,
        head: head.to_owned(),
        body: Vec::new(),
        size_bytes: received.len() - rest.len(),
    };
    let is_chunked = answer.header("transfer-encoding") == Some("chunked");
    let body = if is_chunked {
        dechunk(rest)?
    } else {
        let length = answer
            .header("content-length")
            .and_then(|text| text.parse().ok());
        let length: usize = length.context("the answer has neither a length nor chunks")?;
        rest.get(..length).map(|body| (body.to_vec(), length))
    };
    Ok(body.map(|(body, size)| {
        answer.size_bytes += size;
        answer.body = body;
        answer
    }))
}

/// The body of an answer in chunks, and its size on the wire; `None` while the last chunk is
/// missing.
fn dechunk(encoded: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut rest) = (Vec::new(), encoded);
    loop {
        let Some((size, after)) = split(rest, b"\r\n") else {
            return Ok(None);
        };
        let size = str::from_utf8(size)?.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16)
            .with_context(|| format!("expected the size of a chunk, found `{size}`"))?;
        let Some(chunk) = after.get(..size + 2) else {
            return Ok(None);
        };
        body.extend_from_slice(&chunk[..size]);
        rest = &after[size + 2..];
        if size == 0 {
            return Ok(Some((body, encoded.len() - rest.len())));
        }
    }
}

fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut windows = bytes.windows(separator.len());
    let at = windows.position(|window| window == separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread::JoinHandle;

    /// An answer without header fields.
    pub(in crate::load) fn answer(status: u16, body: &[u8]) -> Answer {
        Answer {
            status,
            head: String::new(),
            body: body.to_owned(),
            size_bytes: body.len(),
        }
    }

    /// A server that gives these answers, each on its own connection that it closes. It returns the
    /// paths of the requests, sorted.
    pub(in crate::load) fn serve(answers: &[&str]) -> (SocketAddr, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        let server = thread::spawn(move || {
            let mut paths = Vec::new();
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut read = [0; 1024];
                let count = (&stream).read(&mut read).unwrap();
                let head = String::from_utf8_lossy(&read[..count]).into_owned();
                paths.push(head.split(' ').nth(1).unwrap().to_owned());
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
            paths.sort();
            paths
        });
        (addr, server)
    }

    fn post(addr: SocketAddr, body: &[u8]) -> Result<Answer> {
        Client::new(addr).send(&request(addr, "/echo", None, body))
    }

    const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";

    #[test]
    fn an_answer_with_content_length_is_complete_with_that_many_bytes() {
        let answer = parse(PLAIN).unwrap().unwrap();
        assert_eq!((answer.status, &*answer.body), (200, b"hello".as_slice()));
        assert_eq!(answer.size_bytes, PLAIN.len());
    }

    #[test]
    fn chunks_of_an_answer_are_concatenated() {
        let answer = parse(CHUNKED).unwrap().unwrap();
        assert_eq!((answer.status, &*answer.body), (200, b"hello".as_slice()));
        assert_eq!(answer.size_bytes, CHUNKED.len());
    }

    #[test]
    fn header_names_are_case_insensitive() {
        let answer = parse(PLAIN).unwrap().unwrap();
        assert_eq!(answer.header("content-length"), Some("5"));
        assert_eq!(answer.header("retry-after"), None);
    }

    #[test]
    fn every_prefix_of_an_answer_is_incomplete() {
        for answer in [PLAIN, CHUNKED] {
            for end in 0..answer.len() {
                assert_eq!(parse(&answer[..end]).unwrap(), None, "{end}");
            }
        }
    }

    #[test]
    fn an_answer_without_a_status_is_an_error() {
        let error = parse(b"SSH-2.0\r\n\r\n").unwrap_err().to_string();
        assert_eq!(error, "expected a status, found `SSH-2.0`");
    }

    #[test]
    fn an_answer_that_streams_during_the_request_is_read() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        // More than the kernel buffers on both sides.
        let body = vec![7; 64 << 20];
        let length = body.len();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            (&stream).read_exact(&mut [0]).unwrap();
            write!(
                &stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"
            )
            .unwrap();
            let mut rest = (&stream).take(length as u64);
            std::io::copy(&mut rest, &mut &stream).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            std::io::copy(&mut &stream, &mut std::io::sink()).unwrap();
        });
        let answer = post(addr, &body).unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, length));
        server.join().unwrap();
    }

    #[test]
    fn an_invalid_answer_ends_a_request_that_is_not_read() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            (&stream).write_all(b"SSH-2.0\r\n\r\n").unwrap();
            stream
        });
        let started = std::time::Instant::now();
        let error = post(addr, &vec![7; 64 << 20]).unwrap_err();
        assert_eq!(error.to_string(), "expected a status, found `SSH-2.0`");
        assert!(started.elapsed() < TIMEOUT);
        // The server keeps the connection open until here.
        server.join().unwrap();
    }
}
