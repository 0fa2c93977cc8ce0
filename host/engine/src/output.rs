//! Standard output and standard error of guests, which go to the server's log by line, with the
//! request. If standard error of the server is not read, lines are dropped: guests cannot block the
//! server or be blocked.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::{io, mem};

use bytes::Bytes;
use telemetry::RequestInfo;
use telemetry::server_log::{guest_line, write as write_log};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

/// Size limit of a line, in bytes; longer ones are split.
pub(super) const MAX_LINE_BYTES: usize = 8 * 1024;

/// Size limit of a write, in bytes.
const MAX_WRITE_BYTES: usize = 64 * 1024;

/// Standard output or standard error of an instance. All handles share the partial line, so that
/// pieces from several handles form one line.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<LineBuffer>>);

impl Output {
    /// The output `name` of an instance that serves `request`, which may write `max_bytes` to both
    /// outputs together.
    pub(super) fn new(request: Arc<RequestInfo>, name: &'static str, max_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(LineBuffer {
            request,
            name,
            max_bytes,
            partial: Vec::new(),
        })))
    }

    /// Attributes the following output to `request`.
    pub(super) fn begin_request(&self, request: Arc<RequestInfo>) {
        self.lock().request = request;
    }

    /// Writes the partial line, if there is one.
    pub(super) fn flush_partial_line(&self) {
        self.lock().flush_partial();
    }

    fn lock(&self) -> MutexGuard<'_, LineBuffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

/// The buffer of one output, which holds back the last line until it is complete.
struct LineBuffer {
    request: Arc<RequestInfo>,
    name: &'static str,
    /// Limit of the output of the request, in bytes.
    max_bytes: usize,
    partial: Vec<u8>,
}

impl LineBuffer {
    /// Writes output up to the limit of the request. The guest is not notified of the omitted rest.
    fn write(&mut self, mut bytes: &[u8]) {
        let mut lines = Vec::new();
        let max_bytes = self.max_bytes;
        let room = max_bytes.saturating_sub(self.request.add_output_bytes(bytes.len()));
        let is_last = room > 0 && room < bytes.len();
        bytes = &bytes[..bytes.len().min(room)];
        while !bytes.is_empty() {
            let room = MAX_LINE_BYTES - self.partial.len();
            let window = &bytes[..bytes.len().min(room)];
            let (part, rest, complete) = match window.iter().position(|&byte| byte == b'\n') {
                Some(end) => (&bytes[..end], &bytes[end + 1..], true),
                None => (window, &bytes[window.len()..], window.len() == room),
            };
            self.partial.extend_from_slice(part);
            bytes = rest;
            if complete {
                self.finish_line(&mut lines);
            }
        }
        if is_last {
            self.finish_line(&mut lines);
            let text = format!("(output truncated after {max_bytes} bytes)");
            add_line(&mut lines, &self.request, self.name, &text);
        }
        write_log(lines);
    }

    /// Writes the partial line, if there is one.
    fn flush_partial(&mut self) {
        if !self.partial.is_empty() {
            let mut lines = Vec::new();
            self.finish_line(&mut lines);
            write_log(lines);
        }
    }

    /// Moves the partial line to `lines`, with its prefix. It is sanitized, so that guests cannot
    /// control the operator's terminal.
    fn finish_line(&mut self, lines: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(&self.partial);
        // A byte that is not UTF-8 was replaced by three.
        let text = sanitize::line(text).at_most(3 * MAX_LINE_BYTES).to_string();
        add_line(lines, &self.request, self.name, &text);
        self.partial.clear();
        // With prefixes, many short lines may exceed the queue of the log.
        if lines.len() >= MAX_WRITE_BYTES {
            write_log(mem::take(lines));
        }
    }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        self.flush_partial();
    }
}

fn add_line(lines: &mut Vec<u8>, request: &RequestInfo, name: &str, text: &str) {
    request.append_log_line(format_args!("{} {name}: {text}", request.id()));
    lines.extend(guest_line(request, name, text));
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.lock().write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(MAX_WRITE_BYTES)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.lock().write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
