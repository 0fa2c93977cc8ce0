//! The facts about one request, for logs, traces and the audit log.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use audit_log::record::{self, Component};
use http::header::HeaderName;
use http::{Method, Request, Uri, Version};
use http1_strict::Violation;
use memory_limit::MemoryShortage;
use sanitize::truncate;

use crate::cpu_clock::CpuClock;
use crate::metrics::FailureKind;
use crate::principal::{self, InvalidPrincipal};
use crate::request_telemetry::FunctionTelemetry;
use crate::trace_parent::TraceParent;
use crate::{Rejection, RequestId};

/// Maximum length of a path in an audit record, in bytes; a longer one is truncated.
const MAX_PATH_BYTES: usize = 1024;

/// Maximum length of a method in an audit record, in bytes; a longer one is truncated.
const MAX_METHOD_BYTES: usize = 32;

/// The facts about a request, and the state that its processing adds.
#[derive(Debug)]
pub struct RequestInfo {
    id: RequestId,
    method: Method,
    uri: Uri,
    version: Version,
    peer: Option<SocketAddr>,
    trace_parent: Option<TraceParent>,
    principal: Result<Option<Box<str>>, InvalidPrincipal>,
    /// The function that handles the request, if the server has several.
    function: Option<Arc<FunctionTelemetry>>,
    /// The request of the client, for the next handler of a middleware.
    outer: Option<Arc<RequestInfo>>,
    progress: Progress,
}

/// The state that the processing of a request adds.
#[derive(Debug, Default)]
struct Progress {
    /// Set when the audit log did not accept a record of the request.
    is_audit_unavailable: AtomicBool,
    /// Set when the guest failed after a growth of its memory was denied.
    memory_shortage: OnceLock<MemoryShortage>,
    /// 0, or 1 plus the discriminant of a [`FailureKind`].
    failure: AtomicU8,
    /// The reason why the server stopped to read the body.
    body_rejection: OnceLock<Rejection>,
    cpu_clock: CpuClock,
    /// The number of bytes that the guest has printed.
    output_bytes: AtomicUsize,
}

impl RequestInfo {
    /// Extracts the facts from `request`, which came from `peer`. `principal` is the header in
    /// which an authenticating proxy in front of the server sends the user, if there is one.
    #[must_use]
    pub fn new<B>(
        request: &Request<B>,
        peer: Option<SocketAddr>,
        principal: Option<&HeaderName>,
    ) -> Self {
        let headers = request.headers();
        let principal = principal.map_or(Ok(None), |name| principal::of(headers, name));
        Self {
            id: RequestId::of(headers),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            peer,
            trace_parent: TraceParent::of(headers),
            principal: principal.map(|name| name.map(Into::into)),
            function: None,
            outer: None,
            progress: Progress::default(),
        }
    }

    /// The same request, for the next handler of a middleware: the account of its guest is its own.
    #[must_use]
    pub fn for_next(self: &Arc<Self>) -> Self {
        Self {
            id: self.id.clone(),
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            peer: self.peer,
            trace_parent: self.trace_parent,
            principal: self.principal.clone(),
            function: self.function.clone(),
            outer: Some(self.clone()),
            progress: Progress::default(),
        }
    }

    /// Whether a middleware made this request of that of the client.
    #[must_use]
    pub fn is_for_next(&self) -> bool {
        self.outer.is_some()
    }

    /// The id of the request.
    #[must_use]
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// Sets the function that handles the request, if the server has several.
    pub fn set_function(&mut self, function: Arc<FunctionTelemetry>) {
        self.function = Some(function);
    }

    /// The component of the function that handles the request, if the server has several.
    pub fn component(&self) -> Option<&Component<'static>> {
        self.function.as_ref().map(|function| function.component())
    }

    /// Appends a line to the log ring of the function, if the server has several.
    pub fn append_log_line(&self, line: impl fmt::Display) {
        if let Some(function) = &self.function {
            function.metrics().log_ring().push(line);
        }
    }

    /// The CPU time of the guest.
    pub fn cpu_clock(&self) -> &CpuClock {
        &self.progress.cpu_clock
    }

    /// Adds to the number of bytes that the guest has printed, and returns the number before.
    pub fn add_output_bytes(&self, bytes: usize) -> usize {
        self.progress
            .output_bytes
            .fetch_add(bytes, Ordering::Relaxed)
    }

    /// Records the reason why the server stops to read the body.
    pub fn reject_body(&self, rejection: Rejection) {
        // The first reason stays.
        let _ = self.progress.body_rejection.set(rejection);
    }

    /// The reason why the server stopped to read the body, if it did.
    pub fn body_rejection(&self) -> Option<Rejection> {
        self.progress.body_rejection.get().copied()
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The HTTP version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The path of the target, without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The peer address of the connection.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The principal that the proxy authenticated.
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_ref().ok()?.as_deref()
    }

    /// Checks that the request does not have several principals or an invalid one.
    ///
    /// # Errors
    ///
    /// Fails if it does: no guest may run, because an audit record could not hold the principal.
    pub fn check_principal(&self) -> Result<(), Rejection> {
        match &self.principal {
            Ok(_) => Ok(()),
            Err(invalid) => Err(Violation::Malformed(invalid.detail()).into()),
        }
    }

    /// The trace context of the sender, from `traceparent`.
    pub fn trace_parent(&self) -> Option<TraceParent> {
        self.trace_parent
    }

    /// The facts as the request of an audit record.
    #[must_use]
    pub fn for_audit(&self) -> record::Request<'_> {
        let path = self.uri.path();
        let kept = truncate(path, MAX_PATH_BYTES);
        record::Request {
            id: self.id.to_string().into(),
            trace_id: self
                .trace_parent
                .map(|parent| parent.trace_id_text().into()),
            peer: self.peer.map(|peer| peer.to_string().into()),
            method: truncate(self.method.as_str(), MAX_METHOD_BYTES).into(),
            path: kept.into(),
            path_bytes: (kept.len() < path.len()).then_some(path.len() as u64),
            principal: self.principal().map(Cow::Borrowed),
        }
    }

    /// Records that the audit log did not accept a record of the request.
    pub fn set_audit_unavailable(&self) {
        self.progress
            .is_audit_unavailable
            .store(true, Ordering::Relaxed);
        // The client must not get the response of the middleware either.
        if let Some(outer) = &self.outer {
            outer.set_audit_unavailable();
        }
    }

    /// Whether the audit log did not accept a record of the request.
    pub fn is_audit_unavailable(&self) -> bool {
        self.progress.is_audit_unavailable.load(Ordering::Relaxed)
    }

    /// Records that the guest failed, and why a growth of its memory was denied before.
    pub fn set_memory_shortage(&self, shortage: MemoryShortage) {
        // A guest fails once.
        let _ = self.progress.memory_shortage.set(shortage);
    }

    /// The reason why a growth of memory was denied to the guest, if it failed after that.
    pub fn memory_shortage(&self) -> Option<MemoryShortage> {
        self.progress.memory_shortage.get().copied()
    }

    /// Records the kind of a failure of the guest. The last one stays.
    pub fn set_failure(&self, kind: FailureKind) {
        self.progress
            .failure
            .store(kind as u8 + 1, Ordering::Relaxed);
    }

    /// The kind of the guest's failure, if it failed.
    pub fn failure(&self) -> Option<FailureKind> {
        let number = usize::from(self.progress.failure.load(Ordering::Relaxed));
        FailureKind::ALL.get(number.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn for_audit_has_the_trace_id_of_traceparent() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = format!("00-{id}-00f067aa0ba902b7-00");
        let info = RequestInfo::new(&request("/", &[("traceparent", &parent)]), None, None);
        assert_eq!(info.for_audit().trace_id.as_deref(), Some(id));
        let info = RequestInfo::new(&request("/", &[]), None, None);
        assert_eq!(info.for_audit().trace_id, None);
    }

    #[test]
    fn for_audit_has_the_path_without_query_up_to_1024_bytes() {
        let long = format!("/{}", "x".repeat(5000));
        let info = RequestInfo::new(&request(&format!("{long}?secret=1"), &[]), None, None);
        let facts = info.for_audit();
        assert_eq!(facts.path, long[..MAX_PATH_BYTES]);
        assert_eq!(facts.path_bytes, Some(5001));
        let info = RequestInfo::new(&request("/a?secret=1", &[]), None, None);
        assert_eq!(info.for_audit().path, "/a");
        assert_eq!(info.for_audit().path_bytes, None);
    }

    #[test]
    fn the_principal_is_read_only_from_the_header_of_principal_header() {
        let header = HeaderName::from_static("x-user");
        let request = request("/", &[("x-user", "alice")]);
        let info = RequestInfo::new(&request, None, Some(&header));
        assert_eq!(info.for_audit().principal.as_deref(), Some("alice"));
        let info = RequestInfo::new(&request, None, None);
        assert_eq!(info.for_audit().principal, None);
    }
}
