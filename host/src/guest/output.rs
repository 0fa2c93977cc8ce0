//! What guests print goes to the server's standard error, line by line, and
//! each line says which request printed it.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use crate::RequestInfo;

/// The longest line in bytes; a longer one is broken here.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// The most bytes that are taken at once.
const MAX_WRITE_BYTES: usize = 64 * 1024;

/// The standard output or standard error of one request.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) request: Arc<RequestInfo>,
    pub(super) name: &'static str,
    /// How many bytes the request may print on both.
    pub(super) max_bytes: usize,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines::new(self.clone()))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Lines::new(self.clone()))
    }
}

/// A stream that holds back the last line until it is complete.
struct Lines {
    output: Output,
    unfinished: Vec<u8>,
}

impl Lines {
    fn new(output: Output) -> Self {
        Self {
            output,
            unfinished: Vec::new(),
        }
    }

    /// Prints what the request may still print. The guest does not hear of what is left
    /// out: it is none of its business how much of its output is kept.
    fn print(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut lines = Vec::new();
        let Output {
            request, max_bytes, ..
        } = &self.output;
        let room = max_bytes.saturating_sub(request.print(bytes.len()));
        let is_last = room > 0 && room < bytes.len();
        bytes = &bytes[..bytes.len().min(room)];
        while !bytes.is_empty() {
            let room = MAX_LINE_BYTES - self.unfinished.len();
            let window = &bytes[..bytes.len().min(room)];
            let (part, rest, complete) = match window.iter().position(|&byte| byte == b'\n') {
                Some(end) => (&bytes[..end], &bytes[end + 1..], true),
                None => (window, &bytes[window.len()..], window.len() == room),
            };
            self.unfinished.extend_from_slice(part);
            bytes = rest;
            if complete {
                self.finish_line(&mut lines);
            }
        }
        if is_last {
            self.finish_line(&mut lines);
            let Output {
                request,
                name,
                max_bytes,
            } = &self.output;
            let text = format!("(all beyond {max_bytes} bytes is left out)");
            write_line(&mut lines, request, name, &text);
        }
        write_to_stderr(&lines)
    }

    /// Moves the unfinished line to `lines`, with its prefix. Control characters
    /// are taken out, so that no guest can steer the operator's terminal.
    fn finish_line(&mut self, lines: &mut Vec<u8>) {
        let Output { request, name, .. } = &self.output;
        let steers = |c: char| c.is_control() && c != '\t';
        let mut text = String::from_utf8_lossy(&self.unfinished);
        if text.contains(steers) {
            text = text.replace(steers, "\u{fffd}").into();
        }
        write_line(lines, request, name, &text);
        self.unfinished.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.unfinished.is_empty() {
            let mut lines = Vec::new();
            self.finish_line(&mut lines);
            let _ = write_to_stderr(&lines);
        }
    }
}

/// Whether lines are objects of JSON, as those of the server's own log. There is one
/// standard error for all guests.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Lets what guests print be objects of JSON from now on, because everything else on
/// standard error is.
pub fn print_as_json() {
    IS_JSON.store(true, Ordering::Relaxed);
}

fn write_line(lines: &mut Vec<u8>, request: &RequestInfo, name: &str, text: &str) {
    request.keep_line(format_args!("{} {name}: {text}", request.id()));
    // Writing into memory does not fail.
    let _ = if IS_JSON.load(Ordering::Relaxed) {
        let mut entry = serde_json::json!({
            "timestamp": format!("{:.6}", Timestamp::now()),
            "level": "INFO",
            "message": text,
            "request": request.id().to_string(),
            "stream": name,
            "target": "guest",
        });
        if let Some(function) = request.component() {
            entry["function"] = function.name.as_ref().into();
            entry["version"] = function.sha256.as_ref().into();
        }
        writeln!(lines, "{entry}")
    } else if let Some(function) = request.component() {
        writeln!(lines, "{} {} {name}: {text}", request.id(), function.name)
    } else {
        writeln!(lines, "{} {name}: {text}", request.id())
    };
}

/// One write for all lines, so that lines of several threads do not mix.
fn write_to_stderr(lines: &[u8]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    io::stderr().write_all(lines)
}

#[async_trait::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.print(&bytes)
            .map_err(|error| StreamError::LastOperationFailed(error.into()))
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(MAX_WRITE_BYTES)
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.print(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
