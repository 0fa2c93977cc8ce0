//! The standard output of an instance that serves several requests.
//!
//! A guest may keep the handle on its output from one request to the next, as
//! most language runtimes do. Its lines carry the id of the request in which they
//! were printed all the same.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use super::output::Output;
use crate::RequestInfo;

/// The request that an instance serves at the moment.
#[derive(Clone)]
pub(super) struct CurrentRequest(Arc<Mutex<Arc<RequestInfo>>>);

impl CurrentRequest {
    pub(super) fn new(request: Arc<RequestInfo>) -> Self {
        Self(Arc::new(Mutex::new(request)))
    }

    pub(super) fn set(&self, request: Arc<RequestInfo>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = request;
    }

    fn get(&self) -> Arc<RequestInfo> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The standard output or standard error of such an instance.
pub(super) struct ReusedOutput {
    pub(super) current: CurrentRequest,
    pub(super) name: &'static str,
    /// How many bytes each request may print.
    pub(super) max_bytes: usize,
}

impl ReusedOutput {
    fn now(&self) -> Output {
        Output {
            request: self.current.get(),
            name: self.name,
            max_bytes: self.max_bytes,
        }
    }
}

impl IsTerminal for ReusedOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for ReusedOutput {
    /// Guests of WASI 0.2 get the other kind, so this one need not follow.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        self.now().async_stream()
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        let output = self.now();
        Box::new(Following {
            current: self.current.clone(),
            stream: output.p2_stream(),
            output,
        })
    }
}

/// A stream that follows its instance from request to request.
struct Following {
    current: CurrentRequest,
    /// What `stream` was made of.
    output: Output,
    stream: Box<dyn OutputStream>,
}

impl Following {
    fn stream(&mut self) -> &mut dyn OutputStream {
        let request = self.current.get();
        if !Arc::ptr_eq(&request, &self.output.request) {
            self.output.request = request;
            // The one before prints its unfinished line as it goes.
            self.stream = self.output.p2_stream();
        }
        &mut *self.stream
    }
}

#[async_trait::async_trait]
impl Pollable for Following {
    async fn ready(&mut self) {
        self.stream().ready().await;
    }
}

impl OutputStream for Following {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.stream().write(bytes)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.stream().flush()
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        self.stream().check_write()
    }
}
