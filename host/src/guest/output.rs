//! What guests print goes to the server's log, line by line, and each line says which
//! request printed it. Where standard error is not read, lines are dropped: no guest waits
//! for it, and none can make the server wait.

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use crate::RequestInfo;
use crate::server_log::{guest_line, write as write_log};

/// The longest line in bytes; a longer one is broken here.
pub(super) const MAX_LINE_BYTES: usize = 8 * 1024;

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
    fn print(&mut self, mut bytes: &[u8]) {
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
            add_line(&mut lines, request, name, &text);
        }
        write_log(lines);
    }

    /// Moves the unfinished line to `lines`, with its prefix. It is sanitized, so that no
    /// guest controls the operator's terminal.
    fn finish_line(&mut self, lines: &mut Vec<u8>) {
        let Output { request, name, .. } = &self.output;
        let text = String::from_utf8_lossy(&self.unfinished);
        // Each byte that is not UTF-8 became three.
        let text = sanitize::line(text).at_most(3 * MAX_LINE_BYTES).to_string();
        add_line(lines, request, name, &text);
        self.unfinished.clear();
        // Prefixes can make many short lines larger than the queue of the log.
        if lines.len() >= MAX_WRITE_BYTES {
            write_log(mem::take(lines));
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.unfinished.is_empty() {
            let mut lines = Vec::new();
            self.finish_line(&mut lines);
            write_log(lines);
        }
    }
}

fn add_line(lines: &mut Vec<u8>, request: &RequestInfo, name: &str, text: &str) {
    request.keep_line(format_args!("{} {name}: {text}", request.id()));
    lines.extend(guest_line(request, name, text));
}

#[async_trait::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.print(&bytes);
        Ok(())
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
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
