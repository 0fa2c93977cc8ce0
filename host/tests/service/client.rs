//! A client with one persistent connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::{ANSWER, MESSAGE, PATH};

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    request: String,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_nodelay(true).expect("a connected socket");
        Self {
            stream: BufReader::new(stream),
            request: format!(
                "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{MESSAGE}",
                MESSAGE.len()
            ),
        }
    }

    /// Sends `count` requests, each after the previous response, and checks the responses.
    pub(crate) fn send(&mut self, count: u32) {
        for _ in 0..count {
            let request = self.request.as_bytes();
            self.stream
                .get_mut()
                .write_all(request)
                .expect("a connection");
            self.check_answer();
        }
    }

    fn check_answer(&mut self) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.stream.read_line(&mut head).expect("the head is text");
            assert_ne!(read, 0, "the connection ended after `{head}`");
        }
        let length = format!("content-length: {}\r\n", ANSWER.len());
        assert!(
            head.starts_with("HTTP/1.1 200 ") && head.contains(&length),
            "{head}"
        );
        let mut body = [0; ANSWER.len()];
        self.stream
            .read_exact(&mut body)
            .expect("a body of that length");
        assert_eq!(body, ANSWER.as_bytes());
    }
}
