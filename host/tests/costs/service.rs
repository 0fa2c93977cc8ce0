//! The components that are asked, and the client that asks them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many requests come before the counting, so that pools and caches are
/// filled, and how many are counted.
pub(crate) const WARM_UP: u32 = 200;
pub(crate) const COUNTED: u32 = 1000;

/// A variable that the component needs: `app.wasm` gets it from the host.
pub(crate) const VARIABLE: (&str, &str) = ("SHIFT_AMOUNT", "3");

const REQUEST: &[u8] = b"POST /encrypt HTTP/1.1\r\n\
    host: localhost\r\n\
    content-type: application/json\r\n\
    content-length: 26\r\n\
    \r\n\
    {\"message\": \"hello world\"}";

const ANSWER: &[u8] = br#"{"result":"khoor zruog"}"#;

/// One test at a time: they find threads by their names, and write to one file.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a component is that `make build` composed.
pub(crate) fn component(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("COMPONENT_RUNNER_TARGET").map(PathBuf::from);
    let target = target.unwrap_or_else(|| workspace.join("target"));
    let path = target.join("components").join(name).with_extension("wasm");
    assert!(
        path.exists(),
        "`{}` is not there; run `make build`",
        path.display()
    );
    path
}

/// The threads of the process `pid` (a number, or `self`) that have this name.
pub(crate) fn threads(pid: &str, name: &str) -> Vec<i32> {
    let is_named = |thread: &OsString| {
        let path = format!("/proc/{pid}/task/{}/comm", thread.display());
        // A thread that has ended meanwhile has no name.
        fs::read_to_string(path).is_ok_and(|comm| comm.trim_end() == name)
    };
    fs::read_dir(format!("/proc/{pid}/task"))
        .expect("a running process has threads")
        .map(|entry| entry.expect("a thread").file_name())
        .filter(is_named)
        .map(|thread| thread.to_str().and_then(|id| id.parse().ok()))
        .map(|id| id.expect("the name of a thread is its number"))
        .collect()
}

/// A connection that is kept alive.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_nodelay(true).expect("a connected socket");
        Self(BufReader::new(stream))
    }

    /// Sends `count` requests, one after the other, and checks each answer.
    pub(crate) fn send(&mut self, count: u32) {
        for _ in 0..count {
            self.0.get_mut().write_all(REQUEST).expect("a connection");
            self.check_answer();
        }
    }

    fn check_answer(&mut self) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).expect("the head is text");
            assert_ne!(read, 0, "the connection ended after `{head}`");
        }
        let length = format!("content-length: {}\r\n", ANSWER.len());
        assert!(
            head.starts_with("HTTP/1.1 200 ") && head.contains(&length),
            "{head}"
        );
        let mut body = [0; ANSWER.len()];
        self.0.read_exact(&mut body).expect("a body of that length");
        assert_eq!(body, ANSWER);
    }
}
